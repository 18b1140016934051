// Fuses an op with the elementwise work on its result, its epilogue: a matrix product with the
// addition of the bias and the activation.
//
//   %2 = matmul(%x, %w) : f32[8,256]
//   %3 = fused(%2, %bias) {body=(…) { … add … relu … }} : f32[8,256]     // both become
//   %2 = fused(%x, %w, %bias) {body=(%0: f32[8,512], %1: f32[512,256], %2: f32[256]) {
//        %3 = matmul(%0, %1) : f32[8,256]; %4 = add(%3, %2) : f32[8,256]; … }} : f32[8,256]
//
// So the result is worked on while it is in the cache, and one kernel runs instead of two. Which ops
// take an epilogue is the device's to say (PassContext::fuses): the pass asks for each op whose only
// use is an elementwise node of its shape. Views stay apart, since they cost nothing.
// It runs after fuse_elementwise, which makes one node of the epilogue. Exact, for the same reasons.
#ifndef TANDEM_GRAPH_PASSES_FUSE_EPILOGUE_H_
#define TANDEM_GRAPH_PASSES_FUSE_EPILOGUE_H_

#include "tandem/graph/passes/pass.h"

namespace tandem {

class FuseEpilogue final : public Pass {
 public:
  absl::string_view name() const override { return "fuse_epilogue"; }
  absl::string_view description() const override {
    return "makes one node of an op and the elementwise work on its result";
  }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_FUSE_EPILOGUE_H_
