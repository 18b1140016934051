// Removes ops that give their input unchanged.
//
//   %1 = reshape(%x) {shape=[2,3]} : f32[2,3]     // gone, if %x is f32[2,3]
//
// Which: stop_gradient; reshape, broadcast_to and squeeze to the same shape; slice of everything;
// split into one part; transpose that moves no axis, and one that undoes another: views, which leave
// elements where they are. And identity, cast to the same dtype, and concat of one part, which copy,
// if what they copy is contiguous already: a copy of a strided view stays, because a kernel may sum
// in another order when it reads strided memory.
//
// So it is exact. Not for a graph that is differentiated later, since stop_gradient is gone.
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
