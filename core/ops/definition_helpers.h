// What the definitions of ops have in common: checks for inference, tensors for gradients.
//
//   def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
//     TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
//     TANDEM_ASSIGN_OR_RETURN(AxisGeometry g, Explain(c, AxisGeometry::Create(...)));
//
// The functions that take an Emitter follow its rule: after an error they return undefined tensors
// and look at no argument.
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OPS_DEFINITION_HELPERS_H_
#define TANDEM_CORE_OPS_DEFINITION_HELPERS_H_

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// --- inference ----------------------------------------------------------------------------------

// `status` with the op and its inputs before the message; the code is kept, OK stays OK.
absl::Status Explain(const InferContext& context, const absl::Status& status);
template <typename T>
absl::StatusOr<T> Explain(const InferContext& context, absl::StatusOr<T> result) {
  if (!result.ok()) return Explain(context, result.status());
  return result;
}

// Input `i` has a floating-point dtype.
absl::Status CheckFloating(const InferContext& context, int i);
// Input `i` has an integer dtype.
absl::Status CheckInteger(const InferContext& context, int i);
// Inputs `i` and `j` have one dtype.
absl::Status CheckSameDType(const InferContext& context, int i, int j);
// Input `i` has this shape; `what` names it in the error: "one value for each channel".
absl::Status CheckShape(const InferContext& context, int i, const Shape& shape,
                        absl::string_view what);

// --- gradients and decompositions ---------------------------------------------------------------

// f32 for f16 and bf16, the dtype itself otherwise: what a chain of ops should be calculated in.
DType WideDType(DType dtype);
// `x` in its wide dtype.
Tensor Wide(Emitter& emit, const Tensor& x);

// `x` with another shape of as many elements. Unlike the op reshape, whose 0 means "keep", this
// also makes shapes with zeros in them.
Tensor ReshapeTo(Emitter& emit, const Tensor& x, const Shape& shape);

// `x` divided by a number of elements (by 1 if that is 0: then there is nothing to divide). `x` has
// a wide dtype, f16 could not hold a count above 65504.
Tensor DivideByCount(Emitter& emit, const Tensor& x, int64_t count);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_DEFINITION_HELPERS_H_
