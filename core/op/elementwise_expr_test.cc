#include "tandem/core/op/elementwise_expr.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/op/scalar_reference.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

OpDef SumOp() {
  OpDef op;
  op.name = "sum_of_two";
  op.inputs = {{"a", ""}, {"b", ""}};
  op.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap&) {
    return b.Add(x[0], x[1]);
  };
  return op;
}

TEST(ElementwiseExpr, ComputesInThePromotedType) {
  const OpDef op = SumOp();
  EXPECT_EQ(ElementwiseComputeType(op, {DType::kI32, DType::kF16}, DType::kF16), ScalarType::kF32);
  EXPECT_EQ(ElementwiseComputeType(op, {DType::kU8, DType::kI8}, DType::kI16), ScalarType::kI32);
  EXPECT_EQ(ElementwiseComputeType(op, {DType::kI64, DType::kI32}, DType::kF32), ScalarType::kF32);
  EXPECT_EQ(ElementwiseComputeType(op, {DType::kF64, DType::kF32}, DType::kBool), ScalarType::kF64);
  EXPECT_EQ(BuildScalarExpr(op, AttributeMap(), {DType::kI32, DType::kF16}, DType::kF16)
                .value()
                .ToString(),
            "%0 = input i32 #0 i32\n"
            "%1 = input f32 #1 f16\n"
            "%2 = cast f32 %0\n"
            "%3 = add f32 %2, %1\n"
            "output %3 f16\n");
}

TEST(ElementwiseExpr, BoolInputsAreNotPromoted) {
  OpDef op;
  op.name = "choose";
  op.inputs = {{"condition", ""}, {"a", ""}, {"b", ""}};
  op.traits.bool_inputs = 1;
  op.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap&) {
    return b.Select(x[0], x[1], x[2]);
  };
  const DType dtypes[] = {DType::kF64, DType::kI8, DType::kI8};
  EXPECT_EQ(PromotedInputDType(op, dtypes), DType::kI8);
  const ScalarExpr expr = BuildScalarExpr(op, AttributeMap(), dtypes, DType::kI8).value();
  const auto run = [&](double condition) {
    return EvaluateScalarExpr(expr, {ScalarNumber::Real(ScalarType::kF64, condition),
                                     ScalarNumber::Integer(ScalarType::kI32, 1),
                                     ScalarNumber::Integer(ScalarType::kI32, 2)})
        .value()[0]
        .integer;
  };
  EXPECT_EQ(run(0.25), 1);
  EXPECT_EQ(run(0), 2);
}

TEST(ElementwiseExpr, MistakesAreErrors) {
  OpDef op = SumOp();
  EXPECT_THAT(BuildScalarExpr(op, AttributeMap(), {DType::kF32}, DType::kF32).status().message(),
              HasSubstr("sum_of_two takes 2 inputs, 1 given"));
  op.scalar = nullptr;
  EXPECT_THAT(BuildScalarExpr(op, AttributeMap(), {DType::kF32, DType::kF32}, DType::kF32)
                  .status()
                  .message(),
              HasSubstr("sum_of_two has no scalar expression"));
  op.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap&) {
    return b.Add(x[0], b.Constant(1, ScalarType::kI64));
  };
  EXPECT_THAT(BuildScalarExpr(op, AttributeMap(), {DType::kF32, DType::kF32}, DType::kF32)
                  .status()
                  .message(),
              HasSubstr("sum_of_two: scalar expression"));
}

}  // namespace
}  // namespace tandem
