// How code below the interpreters runs ops: gradients and decompositions.
//
//   Emitter emit(invoker);
//   Tensor y = emit("mul", {x, emit.Full(2.0, x)});
//   if (!emit.status().ok()) return emit.status();
//
// An Invoker is the door to the interpreter stack (core/dispatch implements it), so code written
// with it works eagerly, under a tape, and in a trace.
#ifndef TANDEM_CORE_OP_INVOKER_H_
#define TANDEM_CORE_OP_INVOKER_H_

#include <initializer_list>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

struct OpDef;

class Invoker {
 public:
  virtual ~Invoker() = default;
  // `device` is where an op without inputs runs; otherwise the inputs decide.
  virtual absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                            absl::Span<const AttributeInit> attrs,
                                            Device* device) = 0;
};

// Runs ops by name and keeps the first error: after one, every call returns undefined tensors, and
// the caller checks once at the end (VjpContext::Finish does).
class Emitter {
 public:
  explicit Emitter(Invoker& invoker) : invoker_(&invoker) {}

  // The first output.
  Tensor operator()(absl::string_view op, std::initializer_list<Tensor> inputs,
                    std::initializer_list<AttributeInit> attrs = {});
  // All outputs; as many undefined ones as asked for after an error.
  TensorList Multi(absl::string_view op, absl::Span<const Tensor> inputs,
                   std::initializer_list<AttributeInit> attrs, int num_outputs);

  // A scalar (rank 0) of `like`'s dtype and device: broadcasts against anything.
  Tensor Full(double value, const Tensor& like);
  // `like`'s shape, dtype and device, filled with `value`.
  Tensor FullLike(double value, const Tensor& like);
  // Undoes broadcasting: sums `x` down to `shape`. The same handle if nothing is to do.
  Tensor SumTo(const Tensor& x, const Shape& shape);
  // Casts if `x` has another dtype.
  Tensor Cast(const Tensor& x, DType dtype);

  // For what runs ops itself (OpBody::Run).
  Invoker& invoker() { return *invoker_; }

  const absl::Status& status() const { return status_; }
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

 private:
  Invoker* invoker_;
  absl::Status status_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_INVOKER_H_
