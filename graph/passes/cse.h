// Common subexpressions: a node that repeats an earlier one is replaced by it.
//
//   %2 = exp(%x) : f32[2]
//   %3 = exp(%x) : f32[2]        // gone; its users take %2
//
// Equal are nodes with one op, equal attributes and equal inputs, in any order if the op is
// commutative. That is exact, also for random ops, which are functions of their state and `delta`.
// Run it after differentiation, not before: a merged node sums its gradients in another order.
#ifndef TANDEM_GRAPH_PASSES_CSE_H_
#define TANDEM_GRAPH_PASSES_CSE_H_

#include "tandem/graph/passes/pass.h"

namespace tandem {

class CommonSubexpressions final : public Pass {
 public:
  absl::string_view name() const override { return "cse"; }
  absl::string_view description() const override {
    return "replaces a node that repeats an earlier one by it";
  }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_CSE_H_
