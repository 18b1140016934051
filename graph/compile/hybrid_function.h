// HybridFunction: an imperative function that compiles itself.
//
// The first call with arguments of some shapes, dtypes and device runs the body once with symbols,
// which records a graph; the graph is optimized and compiled; later calls with the same key run the
// compiled program and no user code.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<HybridFunction> mlp, HybridFunction::Create("mlp", body));
//   TANDEM_ASSIGN_OR_RETURN(TensorList y, Call(*mlp, {x}));  // eager, under a tape, or in a trace
//   std::cout << mlp->Explain().ToText();
//
// `Call` (core/dispatch) picks the right one of Run, RunForGradient and Inline. Variables are read
// at each run, and written back at its end. Random draws take the same numbers as eager ones. A
// trace that fails changes nothing (R50).
//
// Thread rules: all methods from any thread. At most one thread traces at a time (the body is user
// code); others that need the same entry wait for it. The body must not call its own function.
#ifndef TANDEM_GRAPH_COMPILE_HYBRID_FUNCTION_H_
#define TANDEM_GRAPH_COMPILE_HYBRID_FUNCTION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/op/callable.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/graph/compile/explain.h"
#include "tandem/graph/compile/hybrid_options.h"
#include "tandem/graph/ir/graph.h"
#include "tandem/graph/trace/traced_graph.h"

namespace tandem {

struct HybridStats {
  int64_t hits = 0;
  int64_t misses = 0;
  int64_t evictions = 0;
  int64_t traces = 0;   // that succeeded; with check_trace, which runs the body twice, one
  int64_t entries = 0;  // in the cache now
  int64_t bytes = 0;    // of those entries
};

class HybridFunction : public Callable {
 public:
  using Body = std::function<absl::StatusOr<TensorList>(absl::Span<const Tensor>)>;

  // INVALID_ARGUMENT if the options cannot work (HybridOptions::Validate), or there is no body.
  static absl::StatusOr<Ref<HybridFunction>> Create(std::string name, Body body,
                                                    HybridOptions options = {});
  ~HybridFunction() override;

  std::string name() const override;
  const HybridOptions& options() const;

  // Runs the compiled body on concrete inputs (compiles it first, where needed). The outputs are
  // the caller's: fresh memory at each run.
  absl::StatusOr<TensorList> Run(absl::Span<const Tensor> inputs) override;
  // The same, with what the backward pass needs. Gradients are those of eager mode, bit for bit
  // (strict numerics).
  absl::StatusOr<DifferentiableRun> RunForGradient(absl::Span<const Tensor> inputs) override;
  // Runs the body on the current interpreter.
  absl::StatusOr<TensorList> Inline(absl::Span<const Tensor> inputs) override;

  // Compiles for inputs like these (values do not matter) without running.
  absl::Status Warm(absl::Span<const Tensor> inputs);

  // The graph of the entry that was used last, as traced and as optimized, with what feeds its
  // inputs. FAILED_PRECONDITION before the first successful call.
  absl::StatusOr<TracedGraph> traced() const;
  absl::StatusOr<Graph> optimized() const;

  HybridStats stats() const;
  // Forgets all entries; the next call traces again.
  void Clear();

  // Why each entry was traced, what each pass changed, memory plan, kernels.
  Explanation Explain() const;

  // Runs the body eagerly and as a graph, without side effects on variables and the generator, and
  // compares all values bit for bit. OK if they agree; otherwise FAILED_PRECONDITION names the
  // first op that differs, its line, and the largest error.
  absl::Status Verify(absl::Span<const Tensor> inputs);

 private:
  template <typename T, typename... Args>
  friend Ref<T> MakeRef(Args&&... args);
  struct State;
  explicit HybridFunction(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_HYBRID_FUNCTION_H_
