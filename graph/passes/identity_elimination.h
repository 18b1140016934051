// Removes ops that give their input unchanged.
//
//   %1 = reshape(%x) {shape=[2,3]} : f32[2,3]     // gone, if %x is f32[2,3]
//
// Which: identity and stop_gradient; cast to the same dtype; reshape, broadcast_to, squeeze and
// expand_dims to the same shape; transpose that moves no axis, and one that undoes another; slice of
// everything; split into and concat of one part. Exact. Not for a graph that is differentiated
// later, since stop_gradient is gone.
#ifndef TANDEM_GRAPH_PASSES_IDENTITY_ELIMINATION_H_
#define TANDEM_GRAPH_PASSES_IDENTITY_ELIMINATION_H_

#include "tandem/graph/passes/pass.h"

namespace tandem {

class IdentityElimination final : public Pass {
 public:
  // `keep_stop_gradient`: for a graph that is differentiated later.
  explicit IdentityElimination(bool keep_stop_gradient = false)
      : keep_stop_gradient_(keep_stop_gradient) {}

  absl::string_view name() const override { return "identity_elimination"; }
  absl::string_view description() const override {
    return "removes ops that give their input unchanged";
  }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;

 private:
  bool keep_stop_gradient_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_IDENTITY_ELIMINATION_H_
