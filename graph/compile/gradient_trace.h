// GradientTrace: a traced function together with its tape, from which backward graphs are made.
//
// The body runs once under a tape on top of a trace, so what eager mode would record is recorded
// here, symbol by symbol: Detach, PauseScope and stop_gradient mean the same. Differentiating then
// runs the tape's own backward pass on the symbols, which adds nodes in the order in which eager
// mode would compute: the gradients are equal bit for bit.
//
//   TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<GradientTrace> trace, GradientTrace::Create(...));
//   trace->forward();  // the graph to run; trace->residual_outputs() says what to keep of it
//   TANDEM_ASSIGN_OR_RETURN(BackwardGraph backward, trace->Backward(defined, wanted));
//
// The forward graph returns, besides the outputs, the *residuals*: intermediate values that the
// backward graph needs. Views and constants are made again instead of being kept.
//
// Thread rules: one thread at a time.
#ifndef TANDEM_GRAPH_COMPILE_GRADIENT_TRACE_H_
#define TANDEM_GRAPH_COMPILE_GRADIENT_TRACE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/trace/trace_interpreter.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

using TraceBody = std::function<absl::StatusOr<TensorList>(absl::Span<const Tensor>)>;

// Names of a function's arguments and outputs in its graph.
std::string ArgumentName(absl::Span<const std::string> names, size_t index, size_t count);
std::string OutputName(size_t index, size_t count);

// Runs `body` once with symbols like `inputs`.
absl::StatusOr<TracedGraph> TraceFunction(const std::string& name, const TraceBody& body,
                                          absl::Span<const Tensor> inputs,
                                          absl::Span<const std::string> input_names);

// Where the backward graph's inputs come from.
struct BackwardInput {
  enum class Source : uint8_t { kGraphInput, kResidual, kOutputGrad } source;
  int index = 0;
};

struct BackwardGraph {
  Graph graph;
  std::vector<BackwardInput> inputs;
  // For each input of the forward graph: the output that is its gradient, or -1.
  std::vector<int> grads;
};

class GradientTrace {
 public:
  static absl::StatusOr<std::unique_ptr<GradientTrace>> Create(
      const std::string& name, const TraceBody& body, absl::Span<const Tensor> inputs,
      absl::Span<const std::string> input_names);

  // As TraceFunction would return it.
  const TracedGraph& traced() const { return traced_; }
  // True if the gradient of an input can be asked for and some output depends on it.
  bool differentiable() const { return differentiable_; }
  // wants()[i]: input i of the graph wants a gradient.
  const std::vector<bool>& wants() const { return wants_; }
  // The outputs that gradients can flow into.
  const std::vector<bool>& output_recorded() const { return recorded_; }

  // The graph with the residuals as further outputs, after those of traced(). `residual_outputs`
  // gives for each residual the output that holds it.
  const Graph& forward() const { return forward_; }
  const std::vector<int>& residual_outputs() const { return residual_outputs_; }

  // The gradient program for output gradients that are `defined`, of the graph inputs that are
  // `wanted`.
  absl::StatusOr<BackwardGraph> Backward(const std::vector<bool>& defined,
                                         const std::vector<bool>& wanted);

 private:
  explicit GradientTrace(const std::string& name) : trace_(name) {}

  absl::Status Trace(const TraceBody& body, absl::Span<const Tensor> inputs,
                     absl::Span<const std::string> input_names);
  // Symbolic gradients, one for each graph input (undefined: none), as nodes of the trace.
  absl::StatusOr<std::vector<Tensor>> Differentiate(const std::vector<bool>& defined,
                                                    const std::vector<bool>& wanted);
  absl::StatusOr<BackwardGraph> Cut(absl::Span<const Tensor> grads) const;
  // Values of the forward part that the gradients need and that are not made again cheaply.
  std::vector<ValueId> ChooseResiduals(absl::Span<const Tensor> grads) const;
  absl::Status MakeForward();
  ValueId IdOf(const Tensor& symbol) const;

  TraceInterpreter trace_;
  size_t num_inputs_ = 0;        // of the forward graph
  size_t num_nodes_ = 0;         // of the forward part
  std::vector<Tensor> outputs_;  // symbols, with the tape
  std::vector<ValueId> output_ids_;
  std::vector<bool> recorded_;
  std::vector<Tensor> leaves_;  // for each graph input; undefined if it wants no gradient
  std::vector<bool> wants_;
  std::vector<Tensor> output_grads_;  // symbols, made when first needed
  std::vector<StateUpdate> updates_;
  bool differentiable_ = false;
  TracedGraph traced_;
  Graph forward_;
  std::vector<ValueId> residuals_;
  std::vector<int> residual_outputs_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_GRADIENT_TRACE_H_
