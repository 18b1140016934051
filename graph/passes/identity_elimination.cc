#include "tandem/graph/passes/identity_elimination.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/graph/passes/rewriter.h"

namespace tandem {
namespace {

// The axes of a transpose, not negative; [] means reversed.
std::vector<int64_t> TransposeAxes(const Node& node, int rank) {
  std::vector<int64_t> axes = node.attrs.Ints("axes");
  if (axes.empty()) {
    for (int axis = rank - 1; axis >= 0; --axis) axes.push_back(axis);
  }
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  return axes;
}

bool IsOneOf(absl::string_view op, std::initializer_list<absl::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

class Eliminator {
 public:
  Eliminator(const Graph& graph, bool keep_stop_gradient)
      : graph_(graph),
        keep_stop_gradient_(keep_stop_gradient),
        contiguous_(graph.values().size(), false) {
    for (const GraphConstant& constant : graph.constants()) {
      contiguous_[constant.value] = constant.tensor.is_contiguous();
    }
  }

  // The value that the node's output is equal to; -1 if there is none. To be asked for every node,
  // in the graph's order.
  ValueId EqualValue(const Node& node) {
    const ValueId equal = FindEqualValue(node);
    // Kernels write contiguous memory. A decomposition may end in a view.
    const bool written = node.op->view == nullptr && node.op->decompose == nullptr;
    for (const ValueId output : node.outputs) {
      contiguous_[output] = equal >= 0 ? contiguous_[equal] : written;
    }
    return equal;
  }

 private:
  ValueId FindEqualValue(const Node& node) const {
    if (node.inputs.size() != 1 || node.outputs.size() != 1) return -1;
    const ValueId input = node.inputs[0];
    const absl::string_view op = node.op->name;
    if (op == "transpose") return TransposedValue(node);
    if (graph_.spec(input) != graph_.spec(node.outputs[0])) return -1;
    if (op == "stop_gradient") return keep_stop_gradient_ ? -1 : input;
    if (op == "slice") return TakesAll(node) ? input : -1;
    if (IsOneOf(op, {"reshape", "broadcast_to", "squeeze", "split"})) return input;
    if (IsOneOf(op, {"identity", "cast", "concat"}) && contiguous_[input]) return input;
    return -1;
  }

  // With the shape unchanged a slice took everything, unless it took it backwards.
  static bool TakesAll(const Node& node) {
    const std::vector<int64_t>& strides = node.attrs.Ints("strides");
    return std::all_of(strides.begin(), strides.end(), [](int64_t stride) { return stride > 0; });
  }

  ValueId TransposedValue(const Node& node) const {
    const ValueId input = node.inputs[0];
    const int rank = graph_.spec(input).shape.rank();
    std::vector<int64_t> axes = TransposeAxes(node, rank);
    if (std::is_sorted(axes.begin(), axes.end())) return input;
    const int32_t producer = graph_.values()[input].node;
    if (producer < 0 || graph_.nodes()[producer].op != node.op) return -1;
    const Node& inner = graph_.nodes()[producer];
    const std::vector<int64_t> inner_axes = TransposeAxes(inner, rank);
    if (inner_axes.size() != axes.size()) return -1;
    // Axis i of the result is axis axes[i] of the inner result, which is inner_axes[axes[i]].
    for (int64_t& axis : axes) axis = inner_axes[axis];
    return std::is_sorted(axes.begin(), axes.end()) ? inner.inputs[0] : -1;
  }

  const Graph& graph_;
  const bool keep_stop_gradient_;
  // By value: it surely lies contiguous in memory.
  std::vector<bool> contiguous_;
};

}  // namespace

absl::StatusOr<Graph> IdentityElimination::Run(const Graph& graph, PassContext& context) const {
  Eliminator eliminator(graph, keep_stop_gradient_);
  TANDEM_ASSIGN_OR_RETURN(GraphRewriter rewriter, GraphRewriter::Create(graph));
  for (const Node& node : graph.nodes()) {
    const ValueId equal = eliminator.EqualValue(node);
    if (equal < 0) {
      TANDEM_RETURN_IF_ERROR(rewriter.Copy(node));
      continue;
    }
    TANDEM_RETURN_IF_ERROR(rewriter.Replace(node.outputs[0], equal));
    context.Note(absl::StrCat(DescribeNode(graph, node), ": is ", graph.ValueName(equal)));
  }
  return rewriter.Finish();
}

}  // namespace tandem
