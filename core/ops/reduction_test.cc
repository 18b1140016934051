#include "tandem/core/ops/reduction.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Reduction, Shapes) {
  for (const char* op : {"sum", "mean", "prod", "max", "min"}) {
    EXPECT_EQ(Infer(op, {"f32[2,3,4]"}), "f32[]");
    EXPECT_EQ(Infer(op, {"f16[2,3,4]"}, {{"axes", Ints{-1, 0}}}), "f16[3]");
    EXPECT_EQ(Infer(op, {"f64[2,3,4]"}, {{"axes", Ints{1}}, {"keepdims", true}}), "f64[2,1,4]");
    EXPECT_EQ(Infer(op, {"bf16[]"}), "bf16[]");
    EXPECT_EQ(Infer(op, {"f32[0,3]"}, {{"axes", Ints{1}}}), "f32[0]");
  }
}

TEST(Reduction, DTypes) {
  EXPECT_EQ(Infer("sum", {"bool[2]"}), "i64[]");
  EXPECT_EQ(Infer("sum", {"i8[2]"}), "i64[]");
  EXPECT_EQ(Infer("prod", {"i32[2]"}), "i64[]");
  EXPECT_EQ(Infer("mean", {"i64[2]"}), "f32[]");
  EXPECT_EQ(Infer("mean", {"bool[2]"}), "f32[]");
  EXPECT_EQ(Infer("max", {"u8[2]"}), "u8[]");
}

TEST(Reduction, EmptyAxes) {
  EXPECT_EQ(Infer("sum", {"f32[2,0]"}, {{"axes", Ints{1}}}), "f32[2]");
  EXPECT_EQ(Infer("prod", {"f32[0]"}), "f32[]");
  EXPECT_THAT(Infer("max", {"f32[2,0]"}, {{"axes", Ints{1}}}),
              HasSubstr("no elements have no max"));
  EXPECT_THAT(Infer("min", {"f32[0]"}), HasSubstr("no elements have no min"));
  // No result, so none is missing.
  EXPECT_EQ(Infer("max", {"f32[0,0]"}, {{"axes", Ints{1}}}), "f32[0]");
  EXPECT_THAT(RunOp("sum", {F64({2, 0}, {})}, {{"axes", Ints{1}}}), ElementsAre(0, 0));
  EXPECT_THAT(RunOp("prod", {F64({2, 0}, {})}, {{"axes", Ints{1}}}), ElementsAre(1, 1));
}

TEST(Reduction, Errors) {
  EXPECT_THAT(Infer("sum", {"f32[2,3]"}, {{"axes", Ints{2}}}),
              AllOf(HasSubstr("sum(x f32[2,3])"), HasSubstr("axis 2 is out of range")));
  EXPECT_THAT(Infer("sum", {"f32[2,3]"}, {{"axes", Ints{1, -1}}}), HasSubstr("named twice"));
  EXPECT_THAT(Infer("sum", {}), HasSubstr("takes 1 input, 0 given"));
}

TEST(Reduction, HugeShapes) {
  EXPECT_EQ(Infer("sum", {"f32[1099511627776,262144]"}, {{"axes", Ints{0}}}), "f32[262144]");
  EXPECT_THAT(Infer("sum", {"f32[1099511627776,1099511627776]"}, {{"axes", Ints{0}}}),
              HasSubstr("more elements than memory can have"));
}

TEST(Reduction, Gradients) {
  for (const char* op : {"sum", "mean", "prod", "max", "min"}) {
    ExpectGradients({.op = op, .inputs = {RandomInput({2, 3}, 1)}, .attrs = {}});
    ExpectGradients(
        {.op = op, .inputs = {RandomInput({2, 3, 4}, 2)}, .attrs = {{"axes", Ints{0, -1}}}});
    ExpectGradients({.op = op,
                     .inputs = {RandomInput({2, 1, 3, 2}, 3)},
                     .attrs = {{"axes", Ints{1, 2}}, {"keepdims", true}}});
    ExpectGradients({.op = op, .inputs = {RandomInput({}, 4)}, .attrs = {}});
    ExpectGradients({.op = op, .inputs = {RandomInput({7}, 5)}, .attrs = {{"axes", Ints{0}}}});
    ExpectGradients({.op = op, .inputs = {RandomInput({0, 3}, 6)}, .attrs = {{"axes", Ints{1}}}});
  }
  ExpectGradients({.op = "sum", .inputs = {RandomInput({2, 0}, 6)}, .attrs = {{"axes", Ints{1}}}});
  ExpectGradients({.op = "prod", .inputs = {RandomInput({2, 0}, 6)}, .attrs = {{"axes", Ints{1}}}});
}

TEST(Reduction, GradientOfProdWithZeros) {
  EXPECT_THAT(RunGradient("prod", {F64({4}, {2, 0, 3, 5})}, {}, {1}), ElementsAre(0, 30, 0, 0));
  EXPECT_THAT(RunGradient("prod", {F64({4}, {2, 0, 3, 0})}, {}, {1}), ElementsAre(0, 0, 0, 0));
  // First and second order, at zeros.
  ExpectGradients({.op = "prod", .inputs = {F64({4}, {2, 0, 3, 5})}, .attrs = {}});
  ExpectGradients({.op = "prod", .inputs = {F64({5}, {2, 0, 3, 0, -1})}, .attrs = {}});
}

TEST(Reduction, TiesShareTheGradientOfMax) {
  const Tensor x = F64({2, 3}, {1, 4, 4, 2, 2, 2});
  EXPECT_THAT(RunGradient("max", {x}, {{"axes", Ints{1}}}, {6, 6}), ElementsAre(0, 3, 3, 2, 2, 2));
  EXPECT_THAT(RunGradient("min", {x}, {{"axes", Ints{1}}}, {6, 6}), ElementsAre(6, 0, 0, 2, 2, 2));
  EXPECT_THAT(RunGradient("max", {x}, {}, {6}), ElementsAre(0, 3, 3, 0, 0, 0));
}

TEST(Reduction, NanTakesTheGradientOfMax) {
  EXPECT_THAT(RunGradient("max", {F64({3}, {1, kNan, 5})}, {}, {2}), ElementsAre(0, 2, 0));
}

TEST(Reduction, GradientOfInfinityIsNotNan) {
  EXPECT_THAT(
      RunGradient("max", {F64({3}, {1, 2, 0})}, {}, {std::numeric_limits<double>::infinity()}),
      ElementsAre(0, std::numeric_limits<double>::infinity(), 0));
}

TEST(ArgMax, Shapes) {
  EXPECT_EQ(Infer("argmax", {"f32[2,3]"}), "i64[2]");
  EXPECT_EQ(Infer("argmin", {"bool[2,3]"}, {{"axis", 0}, {"keepdims", true}}), "i64[1,3]");
  EXPECT_THAT(Infer("argmax", {"f32[]"}), HasSubstr("a scalar has no axis"));
  EXPECT_THAT(Infer("argmax", {"f32[2,0]"}), HasSubstr("no elements have no argmax"));
  EXPECT_EQ(Infer("argmax", {"f32[0,3]"}), "i64[0]");
}

TEST(ArgMax, FirstOnTiesAndNan) {
  EXPECT_THAT(RunOp("argmax", {F64({2, 3}, {1, 4, 4, kNan, 9, kNan})}), ElementsAre(1, 0));
  EXPECT_THAT(RunOp("argmin", {F64({4}, {3, 1, 1, 2})}), ElementsAre(1));
}

TEST(Reduction, OpsAreRegisteredOnce) {
  OpRegistry registry;
  ASSERT_TRUE(RegisterReductionOps(&registry).ok());
  EXPECT_EQ(RegisterReductionOps(&registry).code(), absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace tandem
