#include "tandem/core/op/elementwise_expr.h"

#include <algorithm>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_body.h"

namespace tandem {
namespace {

bool IsTakenAsBool(const OpDef& op, size_t input) {
  return input < 32 && ((op.traits.bool_inputs >> input) & 1) != 0;
}

absl::Status CheckElementwise(const OpDef& op, const AttributeMap& attrs, size_t num_inputs) {
  if (!IsElementwise(op, attrs)) {
    return absl::InternalError(absl::StrCat(op.name, " has no scalar expression"));
  }
  const OpBody* body = BodyOf(op, attrs);
  const size_t taken = body != nullptr ? body->num_inputs() : op.inputs.size();
  if (num_inputs != taken) {
    return absl::InternalError(absl::StrCat(op.name, " takes ", taken, " inputs, ", num_inputs,
                                            " given to its scalar expression"));
  }
  return absl::OkStatus();
}

// The same steps with the dtypes that these inputs lead to.
absl::StatusOr<Ref<const OpBody>> BodyFor(const OpBody& body, absl::Span<const DType> dtypes) {
  const absl::Span<const TensorSpec> own = body.input_specs();
  if (std::equal(own.begin(), own.end(), dtypes.begin(), dtypes.end(),
                 [](const TensorSpec& spec, DType dtype) { return spec.dtype == dtype; })) {
    return RefFrom(&body);
  }
  // Shapes have no say in dtypes, and scalars broadcast with scalars.
  std::vector<TensorSpec> scalars;
  for (const DType dtype : dtypes) scalars.push_back({dtype, {}});
  return body.WithInputs(scalars);
}

}  // namespace

bool IsElementwise(const OpDef& op, const AttributeMap& attrs) {
  if (op.scalar) return true;
  const OpBody* body = BodyOf(op, attrs);
  return body != nullptr && body->is_elementwise();
}

bool IsInplaceSafe(const OpDef& op, const AttributeMap& attrs) {
  return op.traits.inplace_safe || IsElementwise(op, attrs);
}

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
  TANDEM_RETURN_IF_ERROR(CheckElementwise(op, attrs, inputs.size()));
  if (const OpBody* body = BodyOf(op, attrs)) {
    TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> same, BodyFor(*body, input_dtypes));
    TANDEM_ASSIGN_OR_RETURN(const ScalarValue result,
                            AppendSteps(builder, *same, 0, {inputs.begin(), inputs.end()}));
    return builder.Cast(result, ComputeType(output_dtype));
  }
  const ScalarType type = ElementwiseComputeType(op, input_dtypes, output_dtype);
  absl::InlinedVector<ScalarValue, 4> converted;
  for (size_t i = 0; i < inputs.size(); ++i) {
    converted.push_back(builder.Cast(inputs[i], IsTakenAsBool(op, i) ? ScalarType::kBool : type));
  }
  return builder.Cast(op.scalar(builder, converted, attrs), ComputeType(output_dtype));
}

absl::StatusOr<ScalarValue> AppendSteps(ScalarBuilder& builder, const OpBody& body, size_t first,
                                        std::vector<ScalarValue> values) {
  absl::InlinedVector<ScalarValue, 4> operands;
  absl::InlinedVector<DType, 4> dtypes;
  for (size_t i = first; i < body.steps().size(); ++i) {
    const OpBody::Step& step = body.steps()[i];
    operands.clear();
    dtypes.clear();
    for (const int32_t input : step.inputs) {
      operands.push_back(values[input]);
      dtypes.push_back(body.spec(input).dtype);
    }
    const DType dtype = body.spec(step.first_output).dtype;
    TANDEM_ASSIGN_OR_RETURN(
        const ScalarValue value,
        AppendElementwise(builder, *step.op, step.attrs, operands, dtypes, dtype));
    // A body may be of any length, and its program too long long before its end.
    TANDEM_RETURN_IF_ERROR(builder.status());
    // Every value but the last lies in memory when the steps run one by one.
    const bool last = i + 1 == body.steps().size();
    values.push_back(last ? value : builder.RoundTo(value, dtype));
  }
  return values.back();
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
