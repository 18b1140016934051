// Removes nodes, and constants, that no output and no state update depends on.
//
//   %2 = exp(%x) : f32[2]        // gone, if nobody uses %2
//
// Ops have no effects but their outputs, so this is exact. Inputs stay: they are the interface.
#ifndef TANDEM_GRAPH_PASSES_DEAD_CODE_H_
#define TANDEM_GRAPH_PASSES_DEAD_CODE_H_

#include "tandem/graph/passes/pass.h"

namespace tandem {

class DeadCode final : public Pass {
 public:
  absl::string_view name() const override { return "dead_code"; }
  absl::string_view description() const override {
    return "removes nodes that no output and no state update needs";
  }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_DEAD_CODE_H_
