#include "tandem/graph/compile/trace_check.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tandem {
namespace {

constexpr int64_t kMaxCompared = int64_t{1} << 20;

std::string NodeText(const Graph& graph, const Node& node) {
  std::string text = absl::StrCat(graph.ValueName(node.outputs[0]), " = ", node.op->name, "(");
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    absl::StrAppend(&text, i > 0 ? ", " : "", graph.ValueName(node.inputs[i]));
  }
  absl::StrAppend(&text, ")", node.attrs.ToString());
  if (!node.block.empty()) absl::StrAppend(&text, " in block ", node.block);
  if (!node.location.empty()) absl::StrAppend(&text, " at ", node.location);
  return text;
}

bool SameValues(const Tensor& a, const Tensor& b) {
  if (a.impl() == b.impl()) return true;
  if (a.spec() != b.spec()) return false;
  if (a.spec().num_bytes() > kMaxCompared) return true;
  std::vector<std::byte> left(a.spec().num_bytes());
  std::vector<std::byte> right(left.size());
  return a.CopyToHost(absl::MakeSpan(left)).ok() && b.CopyToHost(absl::MakeSpan(right)).ok() &&
         left == right;
}

}  // namespace

std::string FirstDifference(const TracedGraph& first, const TracedGraph& second) {
  const Graph& a = first.graph;
  const Graph& b = second.graph;
  const size_t nodes = std::min(a.nodes().size(), b.nodes().size());
  for (size_t i = 0; i < nodes; ++i) {
    const Node& left = a.nodes()[i];
    const Node& right = b.nodes()[i];
    if (left.op != right.op || !(left.attrs == right.attrs) || left.inputs != right.inputs) {
      return absl::StrCat("node ", i, " was ", NodeText(a, left), ", then ", NodeText(b, right));
    }
  }
  if (a.nodes().size() != b.nodes().size()) {
    const bool more = a.nodes().size() > nodes;
    return absl::StrCat("there were ", a.nodes().size(), " nodes, then ", b.nodes().size(),
                        "; the first additional one is ",
                        more ? NodeText(a, a.nodes()[nodes]) : NodeText(b, b.nodes()[nodes]));
  }
  if (a.inputs().size() != b.inputs().size()) {
    return absl::StrCat("there were ", a.inputs().size(), " inputs, then ", b.inputs().size());
  }
  for (size_t i = 0; i < a.inputs().size(); ++i) {
    if (a.inputs()[i].name != b.inputs()[i].name || a.inputs()[i].kind != b.inputs()[i].kind) {
      return absl::StrCat("input ", i, " was ", InputKindName(a.inputs()[i].kind), " '",
                          a.inputs()[i].name, "', then ", InputKindName(b.inputs()[i].kind), " '",
                          b.inputs()[i].name, "'");
    }
    const Tensor& left = first.bindings[i].tensor;
    const Tensor& right = second.bindings[i].tensor;
    if (left.defined() && right.defined() && !SameValues(left, right)) {
      return absl::StrCat("the captured tensor '", a.inputs()[i].name, "' was ", left.ToString(),
                          ", then ", right.ToString());
    }
  }
  if (a.outputs().size() != b.outputs().size()) {
    return absl::StrCat("there were ", a.outputs().size(), " outputs, then ", b.outputs().size());
  }
  for (size_t i = 0; i < a.outputs().size(); ++i) {
    if (a.outputs()[i].value != b.outputs()[i].value) {
      return absl::StrCat("output '", a.outputs()[i].name, "' was ",
                          a.ValueName(a.outputs()[i].value), ", then ",
                          b.ValueName(b.outputs()[i].value));
    }
  }
  return "";
}

}  // namespace tandem
