#include "tandem/core/ops/pooling.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<Attrs>& Windows() {
  static const auto* windows = new std::vector<Attrs>{
      {{"kernel", Ints{2, 2}}},
      {{"kernel", Ints{3, 2}}, {"strides", Ints{1, 1}}},
      {{"kernel", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"padding", Ints{1, 1}}},
      {{"kernel", Ints{2, 3}}, {"strides", Ints{3, 1}}, {"padding", Ints{0, 2, 1, 0}}},
      {{"kernel", Ints{2, 2}}, {"ceil_mode", true}},
      {{"kernel", Ints{3, 2}},
       {"strides", Ints{2, 3}},
       {"padding", Ints{1, 0}},
       {"ceil_mode", true}},
  };
  return *windows;
}

TEST(Pool2d, Inference) {
  for (const char* op : {"max_pool2d", "avg_pool2d"}) {
    EXPECT_EQ(Infer(op, {"f32[16,6,24,24]"}, {{"kernel", Ints{2, 2}}}), "f32[16,6,12,12]");
    EXPECT_EQ(Infer(op, {"f16[0,6,7,7]"}, {{"kernel", Ints{2, 2}}, {"ceil_mode", true}}),
              "f16[0,6,4,4]");
    EXPECT_THAT(Infer(op, {"f32[16,6,24]"}, {{"kernel", Ints{2, 2}}}), HasSubstr("rank 4"));
    EXPECT_THAT(Infer(op, {"i32[1,1,4,4]"}, {{"kernel", Ints{2, 2}}}), HasSubstr("floating-point"));
    EXPECT_THAT(Infer(op, {"f32[1,1,4,4]"}, {{"kernel", Ints{2, 2}}, {"padding", Ints{2, 0}}}),
                HasSubstr("padding must be smaller than the kernel"));
    EXPECT_THAT(Infer(op, {"f32[1,1,4,4]"}), HasSubstr("kernel"));
  }
}

TEST(Pool2d, BackwardInference) {
  EXPECT_EQ(
      Infer("max_pool2d_backward", {"f32[1,2,2,2]", "f32[1,2,4,4]"}, {{"kernel", Ints{2, 2}}}),
      "f32[1,2,4,4]");
  EXPECT_THAT(
      Infer("max_pool2d_backward", {"f32[1,2,2,3]", "f32[1,2,4,4]"}, {{"kernel", Ints{2, 2}}}),
      HasSubstr("grad must have the shape [1,2,2,2]"));
  EXPECT_THAT(
      Infer("max_pool2d_backward", {"f16[1,2,2,2]", "f32[1,2,4,4]"}, {{"kernel", Ints{2, 2}}}),
      HasSubstr("one dtype"));
  EXPECT_EQ(Infer("avg_pool2d_backward", {"f32[1,2,2,2]"},
                  {{"input_shape", Ints{1, 2, 4, 4}}, {"kernel", Ints{2, 2}}}),
            "f32[1,2,4,4]");
  EXPECT_THAT(Infer("avg_pool2d_backward", {"f32[1,2,2,2]"},
                    {{"input_shape", Ints{1, 2, 9, 4}}, {"kernel", Ints{2, 2}}}),
              HasSubstr("grad must have the shape [1,2,4,2]"));
}

TEST(Pool2d, Gradients) {
  for (const Attrs& attrs : Windows()) {
    for (const char* op : {"max_pool2d", "avg_pool2d"}) {
      ExpectGradients({.op = op, .inputs = {RandomInput({2, 2, 5, 4}, 1)}, .attrs = attrs});
      ExpectGradients({.op = op, .inputs = {RandomInput({0, 2, 5, 4}, 1)}, .attrs = attrs});
    }
    Attrs bare = attrs;
    const AttributeInit elements_only = {"count_include_pad", false};
    bare.push_back(elements_only);
    ExpectGradients({.op = "avg_pool2d", .inputs = {RandomInput({1, 1, 5, 4}, 1)}, .attrs = bare});
  }
}

TEST(MaxPool2d, FirstMaximumAndFirstNanGetTheGradient) {
  const Attrs attrs = {{"kernel", Ints{1, 3}}};
  const Tensor x = F64({1, 1, 3, 3}, {2, 5, 5, 1, kNan, kNan, -kInfinity, -kInfinity, -kInfinity});
  EXPECT_THAT(RunGradient("max_pool2d", {x}, attrs, {1, 2, 3}),
              ElementsAre(0, 1, 0, 0, 2, 0, 3, 0, 0));
}

// The gradient of max_pool2d_backward finds the maximum by itself, from ops: it must find the same.
TEST(MaxPool2d, SecondGradientTakesWhatTheFirstOnePut) {
  const Attrs attrs = {{"kernel", Ints{2, 2}}, {"strides", Ints{1, 1}}, {"padding", Ints{1, 1}}};
  const std::vector<Tensor> images = {
      F64({1, 1, 2, 2}, {-kInfinity, -kInfinity, -kInfinity, -kInfinity}),
      F64({1, 1, 2, 2}, {-1, -2, -2, -1}),
      F64({1, 1, 2, 2}, {3, kNan, kNan, kInfinity}),
      F64({1, 1, 2, 2}, {1, 1, 1, 1}),
  };
  for (const Tensor& x : images) {
    const Tensor marks = F64({1, 1, 2, 2}, {1, 2, 4, 8});
    std::vector<double> taken =
        RunGradient("max_pool2d_backward", {RandomInput({1, 1, 3, 3}, 1), x}, attrs,
                    ReferenceTape::Values(marks));
    ASSERT_EQ(taken.size(), 9u);
    // Where one window alone has a gradient, its first gradient is at the element it took from.
    for (int window = 0; window < 9; ++window) {
      std::vector<double> one(9, 0.0);
      one[window] = 1;
      const std::vector<double> put = RunGradient("max_pool2d", {x}, attrs, one);
      double expected = 0;
      for (int e = 0; e < 4; ++e) expected += put[e] * ReferenceTape::Values(marks)[e];
      EXPECT_EQ(taken[window], expected) << "window " << window;
    }
  }
}

TEST(GlobalPool, InferenceAndGradients) {
  for (const char* op : {"global_avg_pool2d", "global_max_pool2d"}) {
    EXPECT_EQ(Infer(op, {"f32[2,3,4,5]"}), "f32[2,3,1,1]");
    EXPECT_EQ(Infer(op, {"f32[0,3,4,5]"}), "f32[0,3,1,1]");
    EXPECT_THAT(Infer(op, {"f32[2,3,4]"}), HasSubstr("rank 4"));
    EXPECT_THAT(Infer(op, {"f32[2,3,0,5]"}), HasSubstr("empty image"));
    ExpectGradients({.op = op, .inputs = {RandomInput({2, 2, 2, 3}, 1)}, .attrs = {}});
  }
  EXPECT_THAT(RunOp("global_max_pool2d", {F64({1, 2, 1, 2}, {1, 2, 4, 3})}), ElementsAre(2, 4));
  EXPECT_THAT(RunOp("global_avg_pool2d", {F64({1, 2, 1, 2}, {1, 2, 4, 3})}), ElementsAre(1.5, 3.5));
}

}  // namespace
}  // namespace tandem
