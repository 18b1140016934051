// Which results of a use of control flow somebody needs, and which of its state.
//
//   const ControlFlowLiveness live = FindLiveness(node, bodies, graph.UseCounts());
//   live.BodyOutputs(node, 0);  // which outputs of body 0 stay
//
// A value of state stays if its last value, a result of its loop, or the condition depends on it. A
// while_loop keeps the states before its steps only if one of them is needed.
// Thread rules: pure functions.
#ifndef TANDEM_GRAPH_PASSES_CONTROL_FLOW_LIVENESS_H_
#define TANDEM_GRAPH_PASSES_CONTROL_FLOW_LIVENESS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "tandem/graph/ir/graph.h"

namespace tandem {

struct ControlFlowLiveness {
  std::vector<bool> outputs;  // of the op
  std::vector<bool> state;    // values of state (carries)
  bool keeps_states = false;  // while_loop
  bool any = false;           // false: nobody uses anything, and the rest says nothing

  // The outputs of body `body` that stay.
  std::vector<bool> BodyOutputs(const Node& node, int body) const;
};

// `bodies`: one graph for each, with all inputs; `uses`: how often each value of the node's graph is
// used.
ControlFlowLiveness FindLiveness(const Node& node, absl::Span<const Graph* const> bodies,
                                 absl::Span<const int32_t> uses);

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_CONTROL_FLOW_LIVENESS_H_
