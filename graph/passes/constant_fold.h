// Evaluates what depends on constants only (R4: (1+2)+(3+4) becomes the constant 10).
//
//   %0 = full() {shape=ints[], value=1.0} : f32[]
//   %1 = full() {shape=ints[], value=2.0} : f32[]
//   %2 = add(%0, %1) : f32[]     // becomes   %c0 = constant dense<[3.0]> : f32[]
//
// The evaluator of the context runs the kernels that the graph would run, so the bits are the same.
// Creation ops (full, arange) and views of constants count as constants but stay what they are: they
// take less memory, and a kernel may sum strided memory in another order.
// A node is folded only if its results are at most kMaxBytes and not larger than its inputs: a
// broadcast constant would cost more memory than it saves time. An evaluation that fails leaves the
// node, which then fails where and when it is run.
#ifndef TANDEM_GRAPH_PASSES_CONSTANT_FOLD_H_
#define TANDEM_GRAPH_PASSES_CONSTANT_FOLD_H_

#include "tandem/graph/passes/pass.h"

namespace tandem {

class ConstantFold final : public Pass {
 public:
  static constexpr int64_t kMaxBytes = int64_t{1} << 20;

  absl::string_view name() const override { return "constant_fold"; }
  absl::string_view description() const override {
    return "evaluates what depends on constants only";
  }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_CONSTANT_FOLD_H_
