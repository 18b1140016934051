// The complete scalar program of one use of an elementwise op: what a kernel or a printer runs.
//
// OpDef::scalar says only what happens to one element, in one compute type. This adds what every
// device must do alike around it: load each input with its storage dtype, convert it to the type
// the op computes in, and convert the result to the output's dtype.
//
//   // i32 + f16: both loaded, both converted to f32, added, stored as f16.
//   TANDEM_ASSIGN_OR_RETURN(ScalarExpr expr, BuildScalarExpr(*registry.Find("add"), AttributeMap(),
//                                                            {DType::kI32, DType::kF16},
//                                                            DType::kF16));
//
// An op that runs a body of elementwise steps (a fused chain) is such an op too, in that use: its
// program is that of its steps, with what lies between them rounded as a store and a load would, so
// that the bits are those of the steps one by one. Kernels ask IsElementwise, and need not know more.
//
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OP_ELEMENTWISE_EXPR_H_
#define TANDEM_CORE_OP_ELEMENTWISE_EXPR_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem {

// A use of `op` with `attrs` is one scalar program over the elements, of one output to which the
// inputs broadcast.
bool IsElementwise(const OpDef& op, const AttributeMap& attrs);
// The output of a use may overwrite an input of equal dtype and shape.
bool IsInplaceSafe(const OpDef& op, const AttributeMap& attrs);

// The dtype that the inputs of an elementwise op meet at: PromoteTypes over all of them, but those
// taken as bool (OpTraits::bool_inputs). kBool if there are no others.
DType PromotedInputDType(const OpDef& op, absl::Span<const DType> input_dtypes);

// The type an elementwise op computes in: that of the promoted inputs, or, if the result is
// floating point and the inputs are not (div, exp, … of integers), that of the result. For an op with
// a scalar expression of its own: the steps of a body each compute in their type.
ScalarType ElementwiseComputeType(const OpDef& op, absl::Span<const DType> input_dtypes,
                                  DType output_dtype);

// Appends the op to a program that is being built. `inputs` are of compute types that belong to
// `input_dtypes`. The result is of ComputeType(output_dtype), not yet rounded to it: a chain that
// must give the bits of the single ops applies builder.RoundTo(result, output_dtype).
// INTERNAL if the op is not elementwise or takes another number of inputs. For a body whose program
// would be too long, the builder's UNIMPLEMENTED.
absl::StatusOr<ScalarValue> AppendElementwise(ScalarBuilder& builder, const OpDef& op,
                                              const AttributeMap& attrs,
                                              absl::Span<const ScalarValue> inputs,
                                              absl::Span<const DType> input_dtypes,
                                              DType output_dtype);

// Appends the steps of `body` from `first` on, which must be elementwise, with what lies between them
// rounded. `values`: what the body's values up to there stand for, by number; those that no step
// reads may be undefined. The result is that of the last step, not yet rounded.
absl::StatusOr<ScalarValue> AppendSteps(ScalarBuilder& builder, const OpBody& body, size_t first,
                                        std::vector<ScalarValue> values);

// The program of one op: inputs 0..n-1 in order, one output. Same errors.
absl::StatusOr<ScalarExpr> BuildScalarExpr(const OpDef& op, const AttributeMap& attrs,
                                           absl::Span<const DType> input_dtypes,
                                           DType output_dtype);

}  // namespace tandem

#endif  // TANDEM_CORE_OP_ELEMENTWISE_EXPR_H_
