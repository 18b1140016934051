#include "tandem/core/ops/definition_helpers.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;

TEST(ReshapeTo, MakesShapesWithZeros) {
  ReferenceTape invoker(StandardOps());
  Emitter emit(invoker);
  const Tensor x = F64({2, 3, 0}, {});
  EXPECT_EQ(ReshapeTo(emit, x, {0, 7}).shape(), Shape({0, 7}));
  EXPECT_EQ(ReshapeTo(emit, x, {6, 0}).shape(), Shape({6, 0}));
  EXPECT_TRUE(emit.status().ok()) << emit.status();
}

TEST(ReshapeTo, KeepsTheSameHandleForTheSameShape) {
  ReferenceTape invoker(StandardOps());
  Emitter emit(invoker);
  const Tensor x = F64({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(ReshapeTo(emit, x, {2, 2}).impl(), x.impl());
  EXPECT_THAT(ReferenceTape::Values(ReshapeTo(emit, x, {4})), ElementsAre(1, 2, 3, 4));
}

TEST(ReshapeTo, WrongSizesAndEarlierErrorsStick) {
  ReferenceTape invoker(StandardOps());
  Emitter emit(invoker);
  EXPECT_FALSE(ReshapeTo(emit, F64({2}, {1, 2}), {3}).defined());
  EXPECT_FALSE(emit.status().ok());
  // After an error, undefined tensors come in and go out.
  EXPECT_FALSE(ReshapeTo(emit, Tensor(), {3}).defined());
  EXPECT_FALSE(Wide(emit, Tensor()).defined());
  EXPECT_FALSE(DivideByCount(emit, Tensor(), 3).defined());
}

TEST(Wide, OnlyHalfTypesWiden) {
  EXPECT_EQ(WideDType(DType::kF16), DType::kF32);
  EXPECT_EQ(WideDType(DType::kBF16), DType::kF32);
  EXPECT_EQ(WideDType(DType::kF32), DType::kF32);
  EXPECT_EQ(WideDType(DType::kF64), DType::kF64);
}

// Gradients of half types are calculated in f32; Gradients() fails where one does not come back in
// its input's dtype. Parameters of normalizations may be f32 beside.
TEST(Wide, GradientsKeepTheDTypesOfTheirInputs) {
  auto half = [](const Shape& shape) {
    return ReferenceTape::Input({DType::kF16, shape}, ReferenceTape::Values(RandomInput(shape, 1)));
  };
  auto single = [](const Shape& shape) {
    return ReferenceTape::Input({DType::kF32, shape}, std::vector<double>(shape[0], 1.0));
  };
  const Tensor x = half({2, 3});
  const Tensor three = single({3});
  const std::vector<double> six(6, 1.0);
  for (const char* op : {"mean", "prod", "max", "min", "sum"}) {
    EXPECT_EQ(RunGradient(op, {x}, {}, {1}).size(), 6u) << op;
  }
  for (const char* op : {"softmax", "log_softmax"}) {
    EXPECT_EQ(RunGradient(op, {x}, {}, six).size(), 6u) << op;
  }
  EXPECT_EQ(RunGradient("cross_entropy", {x, I64({2}, {0, 2})}, {}, {1, 1}).size(), 6u);
  for (bool training : {false, true}) {
    const std::vector<Tensor> inputs = {x, three, three, three, three};
    for (int input : {0, 1, 2}) {
      EXPECT_EQ(RunGradient("batch_norm", inputs, {{"training", training}}, six, input).size(),
                input == 0 ? 6u : 3u);
    }
    ExpectDecomposition({.op = "batch_norm", .inputs = inputs, .attrs = {{"training", training}}});
  }
  for (int input : {0, 1, 2}) {
    EXPECT_EQ(RunGradient("layer_norm", {x, three, three}, {}, six, input).size(),
              input == 0 ? 6u : 3u);
  }
  ExpectDecomposition({.op = "layer_norm", .inputs = {x, three, three}, .attrs = {}});
  ExpectDecomposition({.op = "softmax", .inputs = {x}, .attrs = {}});
}

TEST(DivideByCount, DividesByAtLeastOne) {
  ReferenceTape invoker(StandardOps());
  Emitter emit(invoker);
  EXPECT_THAT(ReferenceTape::Values(DivideByCount(emit, F64({1}, {6}), 4)), ElementsAre(1.5));
  EXPECT_THAT(ReferenceTape::Values(DivideByCount(emit, F64({1}, {6}), 0)), ElementsAre(6));
}

TEST(SumTo, DropsLeadingAxesOfEmptyTensors) {
  ReferenceTape invoker(StandardOps());
  Emitter emit(invoker);
  EXPECT_EQ(emit.SumTo(F64({5, 3, 0}, {}), {3, 0}).shape(), Shape({3, 0}));
  EXPECT_THAT(ReferenceTape::Values(emit.SumTo(F64({2, 1, 2}, {1, 2, 3, 4}), {1, 1})),
              ElementsAre(10));
  EXPECT_TRUE(emit.status().ok()) << emit.status();
}

}  // namespace
}  // namespace tandem
