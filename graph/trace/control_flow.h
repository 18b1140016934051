// Control flow that depends on values: Cond, Scan and WhileLoop over functions of tensors.
//
//   TANDEM_ASSIGN_OR_RETURN(TensorList y, Cond(positive, then_fn, else_fn));
//
// Eagerly the functions run as they are called, step by step, on values. In a trace, and under a
// tape, which needs to know a body to differentiate it, each function runs once, on symbols, and
// becomes a body of the op cond, scan or while_loop (core/ops/control_flow.h). Tensors, variables and
// symbols that it takes from outside become inputs of that op. The results are the same, bit for bit.
//
// A function may not write variables where it becomes a body (UNIMPLEMENTED): a body is a pure function
// of its inputs. Only the step of a scan may draw random numbers, for then it is known how many are
// drawn; each step gets those that it would draw one after the other. Detached values, and what is computed in
// a PauseScope, have no gradient there either.
//
// Errors: those of the functions; INVALID_ARGUMENT where shapes break the ops' rules.
// Thread rules: those of the interpreters: a call belongs to one thread.
#ifndef TANDEM_GRAPH_TRACE_CONTROL_FLOW_H_
#define TANDEM_GRAPH_TRACE_CONTROL_FLOW_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/base/source_location.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// One step or branch.
using BodyFunction = std::function<absl::StatusOr<TensorList>(absl::Span<const Tensor>)>;

// What `then_fn` gives if `predicate` (one element, of any dtype) is not 0, else what `else_fn` does.
// Both take nothing and give as many tensors, of the same specs.
absl::StatusOr<TensorList> RunCond(const Tensor& predicate, const BodyFunction& then_fn,
                                   const BodyFunction& else_fn,
                                   SourceLocation location = SourceLocation::current());

struct ScanArguments {
  absl::Span<const Tensor> carry;
  absl::Span<const Tensor> scanned;  // gone along by their first axis
  int64_t length = -1;               // -1: that of `scanned`
  bool reverse = false;
};
// `step` takes the carries and one slice of each scanned tensor; it gives the next carries, then any
// number of results. Returns the last carries, then the results, stacked along a new first axis.
absl::StatusOr<TensorList> RunScan(const BodyFunction& step, const ScanArguments& arguments,
                                   SourceLocation location = SourceLocation::current());

// `step` takes and gives the state, as long as `condition`, which takes the state, gives one element
// that is not 0; at most max_iterations times (-1: any number). Returns the last state. A gradient
// needs max_iterations, and memory for so many states.
absl::StatusOr<TensorList> RunWhileLoop(const BodyFunction& condition, const BodyFunction& step,
                                        absl::Span<const Tensor> state, int64_t max_iterations = -1,
                                        SourceLocation location = SourceLocation::current());

}  // namespace tandem

#endif  // TANDEM_GRAPH_TRACE_CONTROL_FLOW_H_
