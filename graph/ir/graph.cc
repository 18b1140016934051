#include "tandem/graph/ir/graph.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

constexpr absl::string_view kKindNames[] = {"argument", "parameter", "state", "capture",
                                            "random_state"};

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  if (name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the name of an ", what, " is empty"));
  }
  if (std::any_of(name.begin(), name.end(),
                  [](unsigned char c) { return absl::ascii_iscntrl(c); })) {
    return absl::InvalidArgumentError(absl::StrCat("the name of ", what, " '",
                                                   absl::Utf8SafeCEscape(name.substr(0, 64)),
                                                   "' has control characters"));
  }
  return absl::OkStatus();
}

absl::Status NoSuchValue(absl::string_view what, ValueId value) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": the graph has no value ", value));
}

// "c" and digits: a constant's label.
bool LooksLikeConstant(absl::string_view name) {
  return name.size() > 1 && name[0] == 'c' &&
         std::all_of(name.begin() + 1, name.end(), absl::ascii_isdigit);
}

}  // namespace

absl::string_view InputKindName(InputKind kind) { return kKindNames[static_cast<int>(kind)]; }

absl::StatusOr<InputKind> ParseInputKind(absl::string_view name) {
  for (size_t i = 0; i < std::size(kKindNames); ++i) {
    if (kKindNames[i] == name) return static_cast<InputKind>(i);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::Utf8SafeCEscape(name.substr(0, 64)),
                   "' is not a kind of input; kinds: argument, parameter, state, capture, "
                   "random_state"));
}

std::string InputLabel(absl::string_view name) {
  const bool plain = !name.empty() && !absl::ascii_isdigit(name[0]) && name[0] != '.' &&
                     name[0] != '/' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '/';
                     });
  if (plain && !LooksLikeConstant(name)) return absl::StrCat("%", name);
  return absl::StrCat("%\"", absl::Utf8SafeCEscape(name), "\"");
}

absl::Status Graph::CheckRoom(size_t more_values) const {
  constexpr size_t kMaxValues = std::numeric_limits<ValueId>::max();
  if (more_values <= kMaxValues - values_.size()) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("graph '", name_, "' has no room for ", more_values, " more values"));
}

ValueId Graph::NewValue(const TensorSpec& spec, int32_t node, int32_t output) {
  values_.push_back({spec, node, output});
  return static_cast<ValueId>(values_.size() - 1);
}

absl::StatusOr<ValueId> Graph::AddInput(absl::string_view name, const TensorSpec& spec,
                                        InputKind kind) {
  TANDEM_RETURN_IF_ERROR(CheckName("input", name));
  TANDEM_RETURN_IF_ERROR(Annotate(spec.shape.Validate(), absl::StrCat("input '", name, "'")));
  if (kind == InputKind::kRandomState && spec != TensorSpec{DType::kI64, {2}}) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input '", name, "' is a random state, which is i64[2] (seed and offset), not ",
        spec.ToString()));
  }
  TANDEM_RETURN_IF_ERROR(CheckRoom(1));
  const auto index = static_cast<int32_t>(inputs_.size());
  if (!input_by_name_.emplace(name, index).second) {
    return absl::AlreadyExistsError(absl::StrCat("the graph has an input '", name, "' already"));
  }
  const ValueId value = NewValue(spec, -1, 0);
  inputs_.push_back({std::string(name), kind, value});
  input_by_value_.emplace(value, index);
  return value;
}

absl::StatusOr<ValueId> Graph::AddConstant(const Tensor& tensor) {
  if (!tensor.defined()) return absl::InvalidArgumentError("a constant needs a tensor, not none");
  if (tensor.is_symbolic()) {
    return absl::InvalidArgumentError(absl::StrCat("a constant needs values, which ",
                                                   tensor.symbol()->Describe(), " does not have"));
  }
  TANDEM_RETURN_IF_ERROR(CheckRoom(1));
  const ValueId value = NewValue(tensor.spec(), -1, 0);
  constant_by_value_.emplace(value, static_cast<int32_t>(constants_.size()));
  constants_.push_back({value, tensor});
  return value;
}

absl::Status Graph::SetConstant(int32_t index, const Tensor& tensor) {
  if (index < 0 || index >= static_cast<int32_t>(constants_.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("no constant ", index, ", the graph has ", constants_.size()));
  }
  const TensorSpec& wanted = spec(constants_[index].value);
  if (!tensor.defined() || tensor.is_symbolic() || tensor.spec() != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("constant ", index, " is ", wanted.ToString(),
                                                   ", it cannot become ", tensor.Describe()));
  }
  constants_[index].tensor = tensor;
  return absl::OkStatus();
}

absl::StatusOr<ValueIds> Graph::AddNode(const OpDef& op, const AttributeMap& attrs,
                                        absl::Span<const ValueId> inputs, std::string block,
                                        std::string location) {
  if (&attrs.schema() != &op.attributes && (attrs.size() > 0 || !op.attributes.defs().empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat(op.name, ": the attributes were made for another op"));
  }
  absl::InlinedVector<const TensorSpec*, 8> input_specs;
  for (const ValueId input : inputs) {
    if (!HasValue(input)) return NoSuchValue(op.name, input);
    input_specs.push_back(&spec(input));
  }
  TANDEM_ASSIGN_OR_RETURN(const SpecList specs, InferSpecs(op, attrs, input_specs));
  const size_t expected = op.num_outputs ? op.num_outputs(attrs) : op.outputs.size();
  if (specs.empty() || specs.size() != expected) {
    return absl::InternalError(absl::StrCat(op.name, ": inference gives ", specs.size(),
                                            " outputs, the definition says ", expected));
  }
  TANDEM_RETURN_IF_ERROR(CheckRoom(specs.size()));
  const auto index = static_cast<int32_t>(nodes_.size());
  Node node;
  node.op = &op;
  node.attrs = attrs;
  node.inputs.assign(inputs.begin(), inputs.end());
  node.block = std::move(block);
  node.location = std::move(location);
  for (size_t i = 0; i < specs.size(); ++i) {
    node.outputs.push_back(NewValue(specs[i], index, static_cast<int32_t>(i)));
  }
  nodes_.push_back(std::move(node));
  return nodes_.back().outputs;
}

absl::Status Graph::AddOutput(absl::string_view name, ValueId value) {
  TANDEM_RETURN_IF_ERROR(CheckName("output", name));
  if (!HasValue(value)) return NoSuchValue(absl::StrCat("output '", name, "'"), value);
  if (!output_names_.emplace(name).second) {
    return absl::AlreadyExistsError(absl::StrCat("the graph has an output '", name, "' already"));
  }
  outputs_.push_back({std::string(name), value});
  return absl::OkStatus();
}

absl::Status Graph::AddUpdate(int32_t input, ValueId value) {
  if (input < 0 || input >= static_cast<int32_t>(inputs_.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("update: the graph has no input with the index ", input));
  }
  const GraphInput& target = inputs_[input];
  const std::string what = absl::StrCat("update of '", target.name, "'");
  if (target.kind != InputKind::kState && target.kind != InputKind::kParameter) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": an input of kind ", InputKindName(target.kind),
                     " cannot be updated; only state and parameters can"));
  }
  if (!HasValue(value)) return NoSuchValue(what, value);
  if (spec(value) != spec(target.value)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": it is ", spec(target.value).ToString(),
                                                   ", its new value ", spec(value).ToString(),
                                                   "; they must be equal"));
  }
  if (!updated_inputs_.insert(input).second) {
    return absl::AlreadyExistsError(absl::StrCat(what, ": it is updated already"));
  }
  updates_.push_back({input, value});
  return absl::OkStatus();
}

int32_t Graph::FindInput(absl::string_view name) const {
  const auto it = input_by_name_.find(name);
  return it == input_by_name_.end() ? -1 : it->second;
}

int32_t Graph::InputIndex(ValueId value) const {
  const auto it = input_by_value_.find(value);
  return it == input_by_value_.end() ? -1 : it->second;
}

int32_t Graph::ConstantIndex(ValueId value) const {
  const auto it = constant_by_value_.find(value);
  return it == constant_by_value_.end() ? -1 : it->second;
}

std::string Graph::ValueName(ValueId value) const {
  if (const int32_t input = InputIndex(value); input >= 0) return InputLabel(inputs_[input].name);
  if (const int32_t constant = ConstantIndex(value); constant >= 0) {
    return absl::StrCat("%c", constant);
  }
  return absl::StrCat("%", value);
}

std::vector<int32_t> Graph::UseCounts() const {
  std::vector<int32_t> counts(values_.size(), 0);
  for (const Node& node : nodes_) {
    for (const ValueId input : node.inputs) ++counts[input];
  }
  for (const GraphOutput& output : outputs_) ++counts[output.value];
  for (const StateUpdate& update : updates_) ++counts[update.value];
  return counts;
}

}  // namespace tandem
