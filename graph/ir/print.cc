#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/graph/ir/literal.h"
#include "tandem/graph/ir/text.h"

namespace tandem {
namespace {

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

class Printer {
 public:
  Printer(const Graph& graph, const TextOptions& options) : graph_(graph), options_(options) {}

  GraphText Print() {
    Header();
    // In the order of ids, so that a parser can give every value its id again.
    size_t constant = 0;
    const std::vector<GraphConstant>& constants = graph_.constants();
    for (const Node& node : graph_.nodes()) {
      for (; constant < constants.size() && constants[constant].value < node.outputs[0];
           ++constant) {
        Constant(constants[constant]);
      }
      PrintNode(node);
    }
    for (; constant < constants.size(); ++constant) Constant(constants[constant]);
    for (const StateUpdate& update : graph_.updates()) {
      Append("  update ", graph_.ValueName(graph_.inputs()[update.input].value), " = ",
             graph_.ValueName(update.value), "\n");
    }
    Append("  return");
    const char* separator = " ";
    for (const GraphOutput& output : graph_.outputs()) {
      Append(separator, graph_.ValueName(output.value));
      separator = ", ";
    }
    Append("\n}\n");
    return std::move(result_);
  }

 private:
  template <typename... Pieces>
  void Append(const Pieces&... pieces) {
    absl::StrAppend(&result_.text, pieces...);
  }

  void Header() {
    // A graph's name is free; the label's rules tell whether it needs quotes.
    Append("graph @", InputLabel(graph_.name()).substr(1), "(");
    const char* separator = "";
    for (const GraphInput& input : graph_.inputs()) {
      Append(separator, InputLabel(input.name), ": ", graph_.spec(input.value).ToString(), " ",
             InputKindName(input.kind));
      separator = ", ";
    }
    Append(") -> (");
    separator = "";
    for (const GraphOutput& output : graph_.outputs()) {
      Append(separator, graph_.spec(output.value).ToString(), " ", Quoted(output.name));
      separator = ", ";
    }
    Append(")");
    if (graph_.random_blocks() != 0) Append(" random_blocks=", graph_.random_blocks());
    Append(" {\n");
  }

  void Constant(const GraphConstant& constant) {
    const std::string label = graph_.ValueName(constant.value);
    Append("  ", label, " = constant dense<");
    if (!Elements(constant.tensor)) {
      const std::string name = label.substr(1);
      result_.constants.emplace(name, constant.tensor);
      Append(Quoted(name));
    }
    Append("> : ", constant.tensor.spec().ToString(), "\n");
  }

  // False, and nothing appended, if the elements are too many, or cannot be read.
  bool Elements(const Tensor& tensor) {
    if (tensor.num_elements() > options_.max_inline_elements) return false;
    std::vector<std::byte> bytes(tensor.spec().num_bytes());
    if (!tensor.CopyToHost(absl::MakeSpan(bytes)).ok()) return false;
    Append("[");
    for (size_t at = 0; at < bytes.size(); at += DTypeSize(tensor.dtype())) {
      if (at > 0) Append(", ");
      AppendLiteral(tensor.dtype(), &bytes[at], &result_.text);
    }
    Append("]");
    return true;
  }

  void PrintNode(const Node& node) {
    const auto label = [this](std::string* out, ValueId value) { *out += graph_.ValueName(value); };
    Append("  ", absl::StrJoin(node.outputs, ", ", label), " = ", node.op->name, "(",
           absl::StrJoin(node.inputs, ", ", label), ")");
    if (const std::string attrs = node.attrs.ToString(); !attrs.empty()) Append(" ", attrs);
    Append(" : ", absl::StrJoin(node.outputs, ", ", [this](std::string* out, ValueId value) {
             *out += graph_.spec(value).ToString();
           }));
    if (options_.origins && !node.block.empty()) Append(" in ", Quoted(node.block));
    if (options_.origins && !node.location.empty()) Append(" at ", Quoted(node.location));
    Append("\n");
  }

  const Graph& graph_;
  const TextOptions& options_;
  GraphText result_;
};

}  // namespace

GraphText PrintGraphAndConstants(const Graph& graph, const TextOptions& options) {
  return Printer(graph, options).Print();
}

std::string PrintGraph(const Graph& graph, const TextOptions& options) {
  return PrintGraphAndConstants(graph, options).text;
}

}  // namespace tandem
