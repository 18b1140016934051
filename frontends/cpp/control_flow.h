// Control flow that depends on values: Cond, Scan, ForEach and WhileLoop, eagerly and in graphs.
//
//   Tensor y = Cond(Sum(x) > 0, [&] { return x * w; }, [&] { return x - b; });
//
//   // A recurrent net: along the first axis of `x`, with a state that goes from step to step.
//   auto [outputs, h] = ForEach(
//       [&](const Tensor& row, const Tensor& state) {
//         Tensor next = Tanh(cell(row) + state);
//         return std::pair(next, next);
//       },
//       x, h0);
//
//   // As many steps as the data say; a gradient needs max_iterations.
//   Tensor root = WhileLoop([&](const Tensor& r) { return Abs(r * r - a) > 1e-6; },
//                           [&](const Tensor& r) { return (r + a / r) * 0.5; }, a,
//                           {.max_iterations = 50});
//
// Eagerly the functions run as they are called, on values: what they print or read is there. Under a
// RecordScope and in a hybridized block each function runs once, on symbols, and becomes a part of
// the graph; tensors and parameters that it uses are captured by name. Results and gradients are the
// same, bit for bit. There, a function may not write parameters (running statistics), and only the
// step of a Scan or ForEach may draw random numbers (Dropout in training mode): other uses are refused
// with a remedy. See docs/control_flow.md.
//
// Functions throw tandem::Error, as all of this front end does: INVALID_ARGUMENT says which dtype or
// shape breaks which rule.
// Thread rules: a call belongs to one thread.
#ifndef TANDEM_FRONTENDS_CPP_CONTROL_FLOW_H_
#define TANDEM_FRONTENDS_CPP_CONTROL_FLOW_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "tandem/core/base/source_location.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// --- Cond ----------------------------------------------------------------------------------------

// What `then_fn` gives if `predicate`, one element of any dtype, is not 0, else what `else_fn` gives.
// Only that one computes. Both must give the same dtypes and shapes.
Tensor Cond(const Tensor& predicate, const std::function<Tensor()>& then_fn,
            const std::function<Tensor()>& else_fn, SourceLocation loc = SourceLocation::current());
TensorList Cond(const Tensor& predicate, const std::function<TensorList()>& then_fn,
                const std::function<TensorList()>& else_fn,
                SourceLocation loc = SourceLocation::current());

// --- Scan and ForEach ----------------------------------------------------------------------------

struct ScanOptions {
  int64_t length = -1;   // number of steps; -1: that of the first axes, which must agree
  bool reverse = false;  // from the last index to the first
};

struct ScanResult {
  TensorList carry;    // after the last step
  TensorList outputs;  // of all steps, stacked along a new first axis
};

// One step takes the carries and a slice of each of `xs`, and gives the next carries, whose dtypes
// and shapes are those of the ones before, and any number of outputs.
using ScanStep = std::function<ScanResult(const TensorList& carry, const TensorList& xs)>;
ScanResult Scan(const ScanStep& step, const TensorList& carry, const TensorList& xs,
                const ScanOptions& options = {}, SourceLocation loc = SourceLocation::current());

// The same in another order of words, for one tensor or lists of them: `body` takes a slice of `data`
// and the states, and gives an output and the next states. Returns the stacked outputs and the last
// states.
using ForEachStep =
    std::function<std::pair<Tensor, Tensor>(const Tensor& slice, const Tensor& state)>;
std::pair<Tensor, Tensor> ForEach(const ForEachStep& body, const Tensor& data, const Tensor& state,
                                  SourceLocation loc = SourceLocation::current());
using ForEachSteps = std::function<std::pair<TensorList, TensorList>(const TensorList& slices,
                                                                     const TensorList& states)>;
std::pair<TensorList, TensorList> ForEach(const ForEachSteps& body, const TensorList& data,
                                          const TensorList& states,
                                          SourceLocation loc = SourceLocation::current());

// --- WhileLoop -----------------------------------------------------------------------------------

struct WhileLoopOptions {
  // Most steps; -1: any number, and no gradient. The gradient keeps the states before so many steps.
  int64_t max_iterations = -1;
};

// Replaces the state by what `body` makes of it, as long as `condition` gives one element that is not
// 0. Dtypes and shapes of the state stay.
Tensor WhileLoop(const std::function<Tensor(const Tensor& state)>& condition,
                 const std::function<Tensor(const Tensor& state)>& body, const Tensor& state,
                 const WhileLoopOptions& options = {},
                 SourceLocation loc = SourceLocation::current());
TensorList WhileLoop(const std::function<Tensor(const TensorList& state)>& condition,
                     const std::function<TensorList(const TensorList& state)>& body,
                     const TensorList& state, const WhileLoopOptions& options = {},
                     SourceLocation loc = SourceLocation::current());

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_CONTROL_FLOW_H_
