#include "tandem/graph/passes/fuse_epilogue.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/elementwise_expr.h"
#include "tandem/graph/passes/fusion.h"

namespace tandem {
namespace {

// Nodes of which `epilogue` is the epilogue, if the device has kernels for that; latest first.
std::vector<int32_t> Producers(const Graph& graph, const FusionPlan& plan, int32_t epilogue) {
  const Node& node = graph.nodes()[epilogue];
  const Shape& shape = graph.spec(node.outputs[0]).shape;
  std::vector<int32_t> producers;
  for (const ValueId input : node.inputs) {
    const int32_t from = graph.values()[input].node;
    if (from < 0 || plan.is_taken(from) || graph.spec(input).shape != shape) continue;
    const Node& producer = graph.nodes()[from];
    if (producer.outputs.size() != 1 || producer.op->view ||
        IsElementwise(*producer.op, producer.attrs)) {
      continue;
    }
    if (plan.uses(input) != std::count(node.inputs.begin(), node.inputs.end(), input)) continue;
    if (plan.KeepsMemory(from, {epilogue})) producers.push_back(from);
  }
  std::sort(producers.begin(), producers.end(), std::greater<>());
  producers.erase(std::unique(producers.begin(), producers.end()), producers.end());
  return producers;
}

}  // namespace

absl::StatusOr<Graph> FuseEpilogue::Run(const Graph& graph, PassContext& context) const {
  FusionPlan plan(graph, context);
  if (!plan.can_fuse()) return graph;
  for (int32_t i = 0; i < static_cast<int32_t>(graph.nodes().size()); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.outputs.size() != 1 || !IsElementwise(*node.op, node.attrs) ||
        graph.spec(node.outputs[0]).shape.num_elements() == 0) {
      continue;
    }
    for (const int32_t producer : Producers(graph, plan, i)) {
      if (plan.Fuse({producer, i})) break;
    }
  }
  return plan.Rewrite();
}

}  // namespace tandem
