#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/ir/lexer.h"
#include "tandem/graph/ir/literal.h"
#include "tandem/graph/ir/parse_attributes.h"
#include "tandem/graph/ir/text.h"

namespace tandem {
namespace {

// Recursive descent, one function a rule of the grammar in text.h. Only a body contains itself: see
// parse_attributes.h.
class Parser {
 public:
  Parser(absl::string_view text, const OpRegistry& registry, Device* device,
         const NamedTensors& constants)
      : lexer_(text),
        budget_(&lexer_, 4 * static_cast<int64_t>(text.size()) + kFixedRoom),
        attributes_(&lexer_, &budget_, registry),
        registry_(registry),
        device_(device),
        constants_(constants) {}

  absl::StatusOr<Graph> Parse() {
    TANDEM_RETURN_IF_ERROR(Header());
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("{"));
    while (!lexer_.Consume("return")) {
      if (lexer_.Consume("update")) {
        TANDEM_RETURN_IF_ERROR(Update());
      } else {
        TANDEM_RETURN_IF_ERROR(Definition());
      }
    }
    TANDEM_RETURN_IF_ERROR(Return());
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("}"));
    if (!lexer_.AtEnd()) {
      return lexer_.ErrorAt(lexer_.position(), "the graph has ended, but the text goes on");
    }
    return std::move(graph_);
  }

 private:
  // The shortest node has some 20 bytes of text, and takes some hundred in a graph: what a text may
  // take is bounded by 4 times its size and 64 MB, of which this is left for what is counted.
  static constexpr int64_t kFixedRoom = int64_t{56} << 20;

  using Label = TextLabel;
  struct Input {
    Label label;
    TensorSpec spec;
    InputKind kind = InputKind::kArgument;
  };
  struct Output {
    std::string name;
    TensorSpec spec;
    size_t position = 0;
  };
  // What a label stands for: a value, or an input that is not in the graph yet.
  struct Binding {
    ValueId value = -1;
    size_t input = 0;
  };
  static constexpr int64_t kValueBytes =
      kGrown<ValueInfo> + 2 * kGrown<std::pair<std::string, Binding>>;

  absl::Status Header() {
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("graph"));
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("@"));
    if (lexer_.Consume("\"\"")) {
      graph_.set_name("");
    } else {
      TANDEM_ASSIGN_OR_RETURN(TextLexer::Name name, lexer_.AnyName("the graph's name"));
      graph_.set_name(std::move(name.text));
    }
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("("));
    TANDEM_RETURN_IF_ERROR(lexer_.List(")", [this] { return HeaderInput(); }));
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("->"));
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("("));
    TANDEM_RETURN_IF_ERROR(lexer_.List(")", [this]() -> absl::Status {
      TANDEM_RETURN_IF_ERROR(budget_.Take(kGrown<Output> + kGrown<GraphOutput>));
      Output output;
      output.position = lexer_.position();
      TANDEM_ASSIGN_OR_RETURN(output.spec, lexer_.Type());
      TANDEM_ASSIGN_OR_RETURN(output.name, lexer_.String("the output's name"));
      outputs_.push_back(std::move(output));
      return absl::OkStatus();
    }));
    if (lexer_.Consume("random_blocks")) {
      TANDEM_RETURN_IF_ERROR(lexer_.Expect("="));
      const size_t position = lexer_.position();
      TANDEM_ASSIGN_OR_RETURN(const int64_t blocks, attributes_.Int());
      if (blocks < 0) return lexer_.ErrorAt(position, "random_blocks is negative");
      graph_.set_random_blocks(blocks);
    }
    return absl::OkStatus();
  }

  absl::Status HeaderInput() {
    TANDEM_RETURN_IF_ERROR(budget_.Take(kGrown<Input> + kGrown<GraphInput> + kValueBytes));
    Input input;
    TANDEM_ASSIGN_OR_RETURN(input.label, ParseLabel(lexer_));
    TANDEM_RETURN_IF_ERROR(lexer_.Expect(":"));
    TANDEM_ASSIGN_OR_RETURN(input.spec, lexer_.Type());
    const size_t position = lexer_.position();
    TANDEM_ASSIGN_OR_RETURN(const absl::string_view kind, lexer_.Word("the kind of the input"));
    absl::StatusOr<InputKind> parsed = ParseInputKind(kind);
    if (!parsed.ok()) return lexer_.At(position, parsed.status());
    input.kind = *parsed;
    Binding binding;
    binding.input = inputs_.size();
    TANDEM_RETURN_IF_ERROR(Define(input.label, binding));
    inputs_.push_back(std::move(input));
    return absl::OkStatus();
  }

  // %a, %b = op(%x, %y) {axis=1} : f32[2], f32[2] in "block" at "file.cc:1"
  absl::Status Definition() {
    TANDEM_RETURN_IF_ERROR(budget_.Take(kGrown<Node>));
    std::vector<Label> results;
    do {
      TANDEM_RETURN_IF_ERROR(budget_.Take(kValueBytes));
      TANDEM_ASSIGN_OR_RETURN(Label label, ParseLabel(lexer_));
      results.push_back(std::move(label));
    } while (lexer_.Consume(","));
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("="));
    const size_t position = lexer_.position();
    TANDEM_ASSIGN_OR_RETURN(const absl::string_view name, lexer_.Word("an op, or constant"));
    if (name == "constant" && lexer_.Consume("dense")) return Constant(results, position);

    absl::StatusOr<const OpDef*> op = registry_.Get(name);
    if (!op.ok()) return lexer_.At(position, op.status());
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("("));
    ValueIds inputs;
    TANDEM_RETURN_IF_ERROR(lexer_.List(")", [&]() -> absl::Status {
      TANDEM_RETURN_IF_ERROR(budget_.Take(kGrown<ValueId>));
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, Use());
      inputs.push_back(value);
      return absl::OkStatus();
    }));
    TANDEM_ASSIGN_OR_RETURN(const AttributeMap attrs, attributes_.Attributes(**op));
    // Before inference, which allocates what an attribute says.
    const int64_t num_outputs = NumOutputs(**op, attrs);
    if (num_outputs != static_cast<int64_t>(results.size())) {
      return lexer_.ErrorAt(position, absl::StrCat(name, " has ", num_outputs, " results, but ",
                                                   results.size(), " are defined here"));
    }
    TANDEM_RETURN_IF_ERROR(lexer_.Expect(":"));
    std::vector<TensorSpec> specs;
    const size_t types_position = lexer_.position();
    do {
      TANDEM_ASSIGN_OR_RETURN(const TensorSpec spec, lexer_.Type());
      specs.push_back(spec);
    } while (lexer_.Consume(","));
    if (specs.size() != results.size()) {
      return lexer_.ErrorAt(types_position,
                            absl::StrCat(results.size(), " results, but ", specs.size(), " types"));
    }
    std::string block, location;
    if (lexer_.Consume("in")) {
      TANDEM_ASSIGN_OR_RETURN(block, lexer_.String("the path of a block"));
    }
    if (lexer_.Consume("at")) {
      TANDEM_ASSIGN_OR_RETURN(location, lexer_.String("a line of source"));
    }

    TANDEM_RETURN_IF_ERROR(MakeRoomBelow(results[0]));
    absl::StatusOr<ValueIds> values =
        graph_.AddNode(**op, attrs, inputs, std::move(block), std::move(location));
    if (!values.ok()) return lexer_.At(position, values.status());
    for (size_t i = 0; i < results.size(); ++i) {
      const ValueId value = (*values)[i];
      TANDEM_RETURN_IF_ERROR(CheckSpec(results[i].text, types_position, specs[i], value));
      TANDEM_RETURN_IF_ERROR(Define(results[i], {value}));
    }
    return absl::OkStatus();
  }

  // … constant dense<[1.0, 2.0]> : f32[2]
  absl::Status Constant(const std::vector<Label>& results, size_t position) {
    if (results.size() != 1) return lexer_.ErrorAt(position, "a constant is one value");
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("<"));
    // The type, which says how to read the elements, comes behind them.
    std::vector<std::pair<size_t, absl::string_view>> elements;
    const Tensor* external = nullptr;
    if (lexer_.Consume("[")) {
      TANDEM_RETURN_IF_ERROR(lexer_.List("]", [&]() -> absl::Status {
        TANDEM_RETURN_IF_ERROR(budget_.Take(kGrown<std::pair<size_t, absl::string_view>>));
        const size_t at = lexer_.position();
        TANDEM_ASSIGN_OR_RETURN(const absl::string_view literal, lexer_.Literal("a number"));
        elements.emplace_back(at, literal);
        return absl::OkStatus();
      }));
    } else {
      const size_t at = lexer_.position();
      TANDEM_ASSIGN_OR_RETURN(const std::string name,
                              lexer_.String("a list of numbers, or a name"));
      const auto it = constants_.find(name);
      if (it == constants_.end() || !it->second.defined()) {
        return lexer_.ErrorAt(at, absl::StrCat("no tensor '", absl::CEscape(name.substr(0, 64)),
                                               "' was given beside the text"));
      }
      external = &it->second;
    }
    TANDEM_RETURN_IF_ERROR(lexer_.Expect(">"));
    TANDEM_RETURN_IF_ERROR(lexer_.Expect(":"));
    const size_t type_position = lexer_.position();
    TANDEM_ASSIGN_OR_RETURN(const TensorSpec spec, lexer_.Type());
    TANDEM_RETURN_IF_ERROR(lexer_.At(type_position, spec.shape.Validate()));
    Tensor tensor;
    if (external != nullptr) {
      if (external->spec() != spec) {
        return lexer_.ErrorAt(type_position, absl::StrCat("the constant is ", spec.ToString(),
                                                          ", the tensor beside the text ",
                                                          external->spec().ToString()));
      }
      tensor = *external;
    } else {
      TANDEM_ASSIGN_OR_RETURN(tensor, InlineConstant(elements, spec, type_position));
    }
    absl::StatusOr<ValueId> value = graph_.AddConstant(tensor);
    if (!value.ok()) return lexer_.At(position, value.status());
    return Define(results[0], {*value});
  }

  absl::StatusOr<Tensor> InlineConstant(
      const std::vector<std::pair<size_t, absl::string_view>>& elements, const TensorSpec& spec,
      size_t type_position) {
    if (spec.shape.num_elements() != static_cast<int64_t>(elements.size())) {
      return lexer_.ErrorAt(type_position,
                            absl::StrCat(spec.ToString(), " has ", spec.shape.num_elements(),
                                         " elements, but ", elements.size(), " are given"));
    }
    if (device_ == nullptr) {
      return lexer_.At(type_position,
                       absl::FailedPreconditionError("a constant needs a device; none was given"));
    }
    std::vector<std::byte> bytes;
    bytes.reserve(spec.num_bytes());
    for (const auto& [position, literal] : elements) {
      TANDEM_RETURN_IF_ERROR(lexer_.At(position, ParseLiteral(literal, spec.dtype, &bytes)));
    }
    absl::StatusOr<Tensor> tensor = Tensor::FromBytes(bytes, spec, *device_);
    if (!tensor.ok()) return lexer_.At(type_position, tensor.status());
    return tensor;
  }

  absl::Status Update() {
    const size_t position = lexer_.position();
    TANDEM_ASSIGN_OR_RETURN(const ValueId input, Use());
    TANDEM_RETURN_IF_ERROR(lexer_.Expect("="));
    TANDEM_ASSIGN_OR_RETURN(const ValueId value, Use());
    const int32_t index = graph_.InputIndex(input);
    if (index < 0) {
      return lexer_.ErrorAt(position, absl::StrCat(graph_.ValueName(input), " is not an input"));
    }
    return lexer_.At(position, graph_.AddUpdate(index, value));
  }

  absl::Status Return() {
    if (!inputs_.empty()) TANDEM_RETURN_IF_ERROR(AddInputs(inputs_.size() - 1));
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (i > 0) TANDEM_RETURN_IF_ERROR(lexer_.Expect(","));
      const size_t position = lexer_.position();
      TANDEM_ASSIGN_OR_RETURN(const ValueId value, Use());
      const Output& output = outputs_[i];
      TANDEM_RETURN_IF_ERROR(CheckSpec(absl::StrCat("output ", i), position, output.spec, value));
      TANDEM_RETURN_IF_ERROR(lexer_.At(output.position, graph_.AddOutput(output.name, value)));
    }
    return absl::OkStatus();
  }

  // --- values ---

  absl::Status Define(const Label& label, Binding binding) {
    if (labels_.emplace(label.text, binding).second) return absl::OkStatus();
    return lexer_.ErrorAt(label.position,
                          absl::StrCat(ShownLabel(label.text), " is defined twice"));
  }

  absl::StatusOr<ValueId> Use() {
    TANDEM_ASSIGN_OR_RETURN(const Label label, ParseLabel(lexer_));
    const auto it = labels_.find(label.text);
    if (it == labels_.end()) {
      return lexer_.ErrorAt(label.position,
                            absl::StrCat(ShownLabel(label.text), " is not defined"));
    }
    if (it->second.value < 0) TANDEM_RETURN_IF_ERROR(AddInputs(it->second.input));
    return it->second.value;
  }

  // Inputs are added as late as possible, since a trace meets parameters on its way and the ids of
  // the text's values, which stand for those of the graph, leave room for them.
  absl::Status AddInputs(size_t last) {
    for (; inputs_added_ <= last; ++inputs_added_) {
      const Input& input = inputs_[inputs_added_];
      absl::StatusOr<ValueId> value =
          graph_.AddInput(input.label.name.text, input.spec, input.kind);
      if (!value.ok()) return lexer_.At(input.label.position, value.status());
      labels_[input.label.text].value = *value;
    }
    return absl::OkStatus();
  }

  // Adds inputs until the next value has the id that its label says, if it says one.
  absl::Status MakeRoomBelow(const Label& label) {
    int64_t id = 0;
    if (label.name.quoted || !absl::SimpleAtoi(label.name.text, &id)) return absl::OkStatus();
    while (inputs_added_ < inputs_.size() && static_cast<int64_t>(graph_.values().size()) < id) {
      TANDEM_RETURN_IF_ERROR(AddInputs(inputs_added_));
    }
    return absl::OkStatus();
  }

  absl::Status CheckSpec(absl::string_view what, size_t position, const TensorSpec& written,
                         ValueId value) {
    if (graph_.spec(value) == written) return absl::OkStatus();
    return lexer_.ErrorAt(
        position, absl::StrCat(ShownLabel(what), " is ", written.ToString(), " in the text, but ",
                               graph_.spec(value).ToString(), " by inference"));
  }

  TextLexer lexer_;
  TextBudget budget_;
  AttributeParser attributes_;
  const OpRegistry& registry_;
  Device* const device_;
  const NamedTensors& constants_;
  Graph graph_;
  std::vector<Input> inputs_;
  size_t inputs_added_ = 0;
  std::vector<Output> outputs_;
  absl::flat_hash_map<std::string, Binding> labels_;
};

}  // namespace

absl::StatusOr<Graph> ParseGraph(absl::string_view text, const OpRegistry& registry, Device* device,
                                 const NamedTensors& constants) {
  return Parser(text, registry, device, constants).Parse();
}

}  // namespace tandem
