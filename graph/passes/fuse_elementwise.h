// Fuses elementwise nodes: a tree of them becomes one node, and what lies between them is never
// written to memory.
//
//   %2 = add(%x, %bias) : f32[8,256]
//   %3 = relu(%2) : f32[8,256]        // both become
//   %2 = fused(%x, %bias) {body=(%0: f32[8,256], %1: f32[256]) { %2 = add(%0, %1) : f32[8,256];
//        %3 = relu(%2) : f32[8,256]; return %3 }} : f32[8,256]
//
// A node joins those that use its result if all of them are in, if it has their shape (a smaller one
// would be computed again for each element it is broadcast to), and if it does not keep more memory
// alive than it saves. Outputs and updates of the graph are written anyhow, so they end a group.
// The bits are those of the single ops: values are rounded between the steps as they would be in
// memory, and PassContext::fuses knows whether the device's kernels agree.
// Not for a graph that is differentiated later: gradients would be taken step by step all the same.
#ifndef TANDEM_GRAPH_PASSES_FUSE_ELEMENTWISE_H_
#define TANDEM_GRAPH_PASSES_FUSE_ELEMENTWISE_H_

#include "tandem/graph/passes/pass.h"

namespace tandem {

class FuseElementwise final : public Pass {
 public:
  absl::string_view name() const override { return "fuse_elementwise"; }
  absl::string_view description() const override {
    return "makes one node of elementwise ones that feed each other";
  }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_FUSE_ELEMENTWISE_H_
