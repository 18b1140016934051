#include "tandem/core/ops/testing/gradient_check.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

// Registers an op "square" with the given gradient, beside the ops that gradients use.
absl::Status CheckSquareWith(VjpFn vjp, uint64_t vjp_inputs = 0b1) {
  OpRegistry registry;
  for (const char* name : {"mul", "add", "full", "broadcast_to"}) {
    OpDef copy = *StandardOps().Find(name);
    EXPECT_TRUE(registry.Register(std::move(copy)).ok());
  }
  OpDef square;
  square.name = "square";
  square.inputs = {{"x", ""}};
  square.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{c.input(0)};
  };
  square.vjp = std::move(vjp);
  square.vjp_inputs = vjp_inputs;
  square.vjp_outputs = 0;
  EXPECT_TRUE(registry.Register(std::move(square)).ok());
  return CheckGradients(registry, {.op = "square", .inputs = {RandomInput({3}, 1)}, .attrs = {}});
}

absl::StatusOr<TensorList> Twice(VjpContext& c, double factor) {
  const Tensor slope = c.emit("mul", {c.input(0), c.emit.Full(factor, c.input(0))});
  return c.Finish({c.emit("mul", {c.grad(), slope})});
}

TEST(GradientCheck, AcceptsTheRightGradient) {
  const absl::Status status = CheckSquareWith([](VjpContext& c) { return Twice(c, 2.0); });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(GradientCheck, FindsAWrongFactor) {
  const absl::Status status = CheckSquareWith([](VjpContext& c) { return Twice(c, 2.0001); });
  EXPECT_THAT(status.message(), HasSubstr("gradient of square by input 0, element 0"));
}

TEST(GradientCheck, FindsAMissingGradient) {
  const absl::Status status = CheckSquareWith(
      [](VjpContext& c) -> absl::StatusOr<TensorList> { return TensorList{Tensor()}; });
  EXPECT_THAT(status.message(), HasSubstr("gradient of square by input 0"));
}

TEST(GradientCheck, FindsAMaskThatIsTooTight) {
  const absl::Status status =
      CheckSquareWith([](VjpContext& c) { return Twice(c, 2.0); }, /*vjp_inputs=*/0);
  EXPECT_THAT(status.message(), HasSubstr("a mask is too tight"));
}

TEST(GradientCheck, FindsAWrongShape) {
  const absl::Status status = CheckSquareWith([](VjpContext& c) -> absl::StatusOr<TensorList> {
    return c.Finish({c.emit.Full(1.0, c.input(0))});
  });
  EXPECT_THAT(status.message(), HasSubstr("gives f64[] for input 0, f64[3]"));
}

}  // namespace
}  // namespace tandem
