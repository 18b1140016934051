// GraphBuilder: symbolic work in separate steps, without tracing a function (R2).
//
//   GraphBuilder builder("fancy");
//   TANDEM_ASSIGN_OR_RETURN(Tensor a, builder.Input("a", {DType::kF32, {}}));
//   TANDEM_ASSIGN_OR_RETURN(Tensor b, builder.Input("b", {DType::kF32, {}}));
//   TANDEM_ASSIGN_OR_RETURN(TensorList sum, Invoke("add", {a, b}));  // adds a node, computes
//   nothing TANDEM_ASSIGN_OR_RETURN(TracedGraph traced, builder.Finish({{"sum", sum[0]}}));
//
// Ops on the builder's symbols are recorded wherever they are called. Code that reads variables or
// draws random numbers is recorded too if it runs under InterpreterScope(builder.interpreter()).
//
// Thread rules: one thread at a time.
#ifndef TANDEM_GRAPH_TRACE_GRAPH_BUILDER_H_
#define TANDEM_GRAPH_TRACE_GRAPH_BUILDER_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/trace/trace_interpreter.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

class GraphBuilder {
 public:
  // `device`: where ops without inputs run; may be null if there are none.
  explicit GraphBuilder(std::string name, Device* device = nullptr)
      : trace_(std::move(name), device) {}

  // ALREADY_EXISTS for a name that is taken.
  absl::StatusOr<Tensor> Input(absl::string_view name, const TensorSpec& spec) {
    return trace_.AddArgument(name, spec);
  }
  Interpreter& interpreter() { return trace_; }
  // Ends the building: the symbols cannot be used any more.
  absl::StatusOr<TracedGraph> Finish(absl::Span<const std::pair<std::string, Tensor>> outputs) {
    return trace_.Finish(outputs);
  }

 private:
  TraceInterpreter trace_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_TRACE_GRAPH_BUILDER_H_
