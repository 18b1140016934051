// A function of tensors that is more than one op: a compiled graph, most of all.
//
// Interpreters treat it like an op (Interpreter::Call): eager runs it, a tape runs it so that it can
// be differentiated, a trace inlines its ops into the graph that is being recorded.
//
// Thread rules: the implementation's.
#ifndef TANDEM_CORE_OP_CALLABLE_H_
#define TANDEM_CORE_OP_CALLABLE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// Gradients of the inputs from gradients of the outputs (undefined: zero). `wanted[i]` is false
// where input i's gradient is not needed; such gradients, and zero ones, come back undefined.
using BackwardFn = std::function<absl::StatusOr<std::vector<Tensor>>(
    absl::Span<const Tensor> output_grads, const std::vector<bool>& wanted)>;

// A run that can be differentiated.
struct DifferentiableRun {
  TensorList outputs;
  // What the outputs depend on: the arguments first, then what the function captured (parameters).
  std::vector<Tensor> inputs;
  BackwardFn backward;
  // True if `backward` works on the current interpreter, so that a tape can record it and gradients
  // of gradients exist.
  bool records_backward = false;
};

class Callable : public RefCounted {
 public:
  virtual std::string name() const = 0;
  virtual absl::StatusOr<TensorList> Run(absl::Span<const Tensor> inputs) = 0;
  virtual absl::StatusOr<DifferentiableRun> RunForGradient(absl::Span<const Tensor> inputs) = 0;
  // Invokes its ops one by one on the current interpreter.
  virtual absl::StatusOr<TensorList> Inline(absl::Span<const Tensor> inputs) = 0;
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_CALLABLE_H_
