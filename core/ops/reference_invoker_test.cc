// The checker must find what it is there to find.
#include "tandem/core/ops/reference_invoker.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/elementwise.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

// x * x, with a gradient and a mask to be wrong in.
absl::Status Check(double slope, uint64_t vjp_inputs) {
  OpRegistry registry;
  EXPECT_EQ(RegisterStandardOps(&registry), absl::OkStatus());
  OpDef def = ElementwiseOp("test_square", "x * x.", {{"x", "any"}}, ResultDType::kNumber,
                            [](ScalarBuilder& b, absl::Span<const ScalarValue> x,
                               const AttributeMap&) { return b.Mul(x[0], x[0]); });
  def.vjp = ElementwiseVjp([slope](VjpContext& c, int) {
    const Tensor scaled = c.emit("mul", {c.input(0), c.emit.Full(slope, c.input(0))});
    return c.emit("mul", {c.grad(), scaled});
  });
  def.vjp_inputs = vjp_inputs;
  def.vjp_outputs = 0;
  EXPECT_EQ(registry.Register(std::move(def)), absl::OkStatus());
  return CheckGradient(registry, "test_square",
                       {ReferenceInvoker::Make({DType::kF64, {2}}, {0.5, -3})});
}

TEST(CheckGradient, AcceptsTheRightOne) { EXPECT_EQ(Check(2, 1), absl::OkStatus()); }

TEST(CheckGradient, FindsAWrongSlope) {
  EXPECT_THAT(Check(2.00001, 1).message(), HasSubstr("gradient of input 0, element 0"));
}

TEST(CheckGradient, FindsAMaskThatHidesWhatIsRead) {
  EXPECT_THAT(Check(2, 0).message(), HasSubstr("is nan"));
}

}  // namespace
}  // namespace tandem
