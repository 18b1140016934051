#include "tandem/core/op/elementwise_expr.h"

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

bool IsTakenAsBool(const OpDef& op, size_t input) {
  return input < 32 && ((op.traits.bool_inputs >> input) & 1) != 0;
}

absl::Status CheckElementwise(const OpDef& op, size_t num_inputs) {
  if (!op.scalar) {
    return absl::InternalError(absl::StrCat(op.name, " has no scalar expression"));
  }
  if (num_inputs != op.inputs.size()) {
    return absl::InternalError(absl::StrCat(op.name, " takes ", op.inputs.size(), " inputs, ",
                                            num_inputs, " given to its scalar expression"));
  }
  return absl::OkStatus();
}

}  // namespace

DType PromotedInputDType(const OpDef& op, absl::Span<const DType> input_dtypes) {
  DType result = DType::kBool;  // the bottom of the lattice
  for (size_t i = 0; i < input_dtypes.size(); ++i) {
    if (!IsTakenAsBool(op, i)) result = PromoteTypes(result, input_dtypes[i]);
  }
  return result;
}

ScalarType ElementwiseComputeType(const OpDef& op, absl::Span<const DType> input_dtypes,
                                  DType output_dtype) {
  const DType promoted = PromotedInputDType(op, input_dtypes);
  const bool float_result = IsFloating(output_dtype) && !IsFloating(promoted);
  return ComputeType(float_result ? output_dtype : promoted);
}

absl::StatusOr<ScalarValue> AppendElementwise(ScalarBuilder& builder, const OpDef& op,
                                              const AttributeMap& attrs,
                                              absl::Span<const ScalarValue> inputs,
                                              absl::Span<const DType> input_dtypes,
                                              DType output_dtype) {
  TANDEM_RETURN_IF_ERROR(CheckElementwise(op, inputs.size()));
  const ScalarType type = ElementwiseComputeType(op, input_dtypes, output_dtype);
  absl::InlinedVector<ScalarValue, 4> converted;
  for (size_t i = 0; i < inputs.size(); ++i) {
    converted.push_back(builder.Cast(inputs[i], IsTakenAsBool(op, i) ? ScalarType::kBool : type));
  }
  return builder.Cast(op.scalar(builder, converted, attrs), ComputeType(output_dtype));
}

absl::StatusOr<ScalarExpr> BuildScalarExpr(const OpDef& op, const AttributeMap& attrs,
                                           absl::Span<const DType> input_dtypes,
                                           DType output_dtype) {
  ScalarBuilder builder;
  absl::InlinedVector<ScalarValue, 4> inputs;
  for (size_t i = 0; i < input_dtypes.size(); ++i) {
    inputs.push_back(builder.Input(static_cast<int>(i), input_dtypes[i]));
  }
  TANDEM_ASSIGN_OR_RETURN(ScalarValue result, AppendElementwise(builder, op, attrs, inputs,
                                                                input_dtypes, output_dtype));
  builder.Output(result, output_dtype);
  absl::StatusOr<ScalarExpr> expr = builder.Finish();
  if (!expr.ok()) return Annotate(expr.status(), op.name);
  return expr;
}

}  // namespace tandem
