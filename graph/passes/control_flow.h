// Looks inside of control flow: what the other passes do for a graph is done for every body, and
// what need not be in a body leaves it.
//
//   - A cond whose predicate is a constant is replaced by the body that it stands for.
//   - Nodes of a loop's body that depend on captured values only go in front of the loop.
//   - Results that nobody uses go, with what leads to them alone: stacked results, values of state,
//     the states that a gradient would have needed, scanned and captured inputs.
//   - Bodies run through the pipelines `before` and `after`, between which they are treated like
//     this. Constants that arise inside become captured inputs.
//
// All of it keeps the bits: a hoisted value is computed by the same op, and taken as it lies.
// Thread rules: those of passes.
#ifndef TANDEM_GRAPH_PASSES_CONTROL_FLOW_H_
#define TANDEM_GRAPH_PASSES_CONTROL_FLOW_H_

#include <utility>

#include "tandem/graph/passes/pass.h"
#include "tandem/graph/passes/pipeline.h"

namespace tandem {

class SimplifyControlFlow final : public Pass {
 public:
  SimplifyControlFlow(PassPipeline before, PassPipeline after)
      : before_(std::move(before)), after_(std::move(after)) {}

  absl::string_view name() const override { return "control_flow"; }
  absl::string_view description() const override {
    return "optimizes bodies, and moves out what need not be in them";
  }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override;

 private:
  const PassPipeline before_;
  const PassPipeline after_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_PASSES_CONTROL_FLOW_H_
