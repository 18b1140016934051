#include "tandem/core/ops/convolution.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Conv2d, Inference) {
  EXPECT_EQ(Infer("conv2d", {"f32[16,1,28,28]", "f32[6,1,5,5]"}), "f32[16,6,24,24]");
  EXPECT_EQ(Infer("conv2d", {"f16[2,4,5,6]", "f16[6,2,3,3]"},
                  {{"strides", Ints{1, 2}}, {"padding", Ints{1, 2, 3, 4}}, {"groups", 2}}),
            "f16[2,6,7,5]");
  EXPECT_EQ(Infer("conv2d", {"f32[0,1,3,3]", "f32[2,1,3,3]"}), "f32[0,2,1,1]");
  EXPECT_EQ(Infer("conv2d", {"f32[1,0,3,3]", "f32[2,0,3,3]"}), "f32[1,2,1,1]");
}

TEST(Conv2d, Errors) {
  EXPECT_THAT(Infer("conv2d", {"f32[1,4,5,5]", "f32[4,3,3,3]"}),
              AllOf(HasSubstr("conv2d(x f32[1,4,5,5], weight f32[4,3,3,3])"),
                    HasSubstr("in_channels / groups")));
  EXPECT_THAT(Infer("conv2d", {"f32[4,5,5]", "f32[4,4,3,3]"}), HasSubstr("rank 4"));
  EXPECT_THAT(Infer("conv2d", {"f32[1,4,5,5]", "f16[4,4,3,3]"}), HasSubstr("one dtype"));
  EXPECT_THAT(Infer("conv2d", {"i32[1,4,5,5]", "i32[4,4,3,3]"}), HasSubstr("floating-point"));
  EXPECT_THAT(Infer("conv2d", {"f32[1,4,2,5]", "f32[4,4,3,3]"}), HasSubstr("larger than"));
  EXPECT_THAT(Infer("conv2d", {"f32[1,1,5,5]", "f32[1,1,3,3]"},
                    {{"padding", Ints{int64_t{1} << 40, int64_t{1} << 40}}}),
              HasSubstr("more elements than memory can have"));
}

TEST(Conv2d, BackwardInference) {
  EXPECT_EQ(Infer("conv2d_backward_input", {"f32[16,6,24,24]", "f32[6,1,5,5]"},
                  {{"input_shape", Ints{16, 1, 28, 28}}}),
            "f32[16,1,28,28]");
  EXPECT_EQ(Infer("conv2d_backward_weight", {"f32[16,1,28,28]", "f32[16,6,24,24]"},
                  {{"weight_shape", Ints{6, 1, 5, 5}}}),
            "f32[6,1,5,5]");
  EXPECT_THAT(Infer("conv2d_backward_input", {"f32[16,6,24,23]", "f32[6,1,5,5]"},
                    {{"input_shape", Ints{16, 1, 28, 28}}}),
              HasSubstr("grad must have the shape [16,6,24,24]"));
  EXPECT_THAT(Infer("conv2d_backward_weight", {"f32[16,1,28,28]", "f32[16,6,24,23]"},
                    {{"weight_shape", Ints{6, 1, 5, 5}}}),
              HasSubstr("grad must have the shape [16,6,24,24]"));
  EXPECT_THAT(Infer("conv2d_backward_input", {"f32[16,6,24,24]", "f32[6,1,5,5]"},
                    {{"input_shape", Ints{16, 1, -28, 28}}}),
              HasSubstr("negative"));
  EXPECT_THAT(Infer("conv2d_backward_input", {"f32[16,6,24,24]", "f32[6,1,5,5]"},
                    {{"input_shape", Ints{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}}),
              HasSubstr("more than 8 dimensions"));
  EXPECT_THAT(Infer("conv2d_backward_input", {"f32[16,6,24,24]", "f32[6,1,5,5]"}),
              HasSubstr("input_shape"));
}

TEST(Conv2d, IsCrossCorrelation) {
  EXPECT_THAT(
      RunOp("conv2d", {F64({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}), F64({1, 1, 2, 2}, {1, 0, 0, -1})}),
      ElementsAre(-4, -4));
}

TEST(Conv2d, Gradients) {
  const std::vector<Attrs> cases = {
      {},
      {{"strides", Ints{2, 1}}, {"padding", Ints{1, 0}}},
      {{"padding", Ints{0, 1, 2, 0}}, {"dilation", Ints{2, 1}}},
      {{"strides", Ints{3, 2}}},  // leaves rows and columns that no window reads
  };
  for (const Attrs& attrs : cases) {
    for (int64_t groups : {1, 2}) {
      Attrs all = attrs;
      const AttributeInit group_count = {"groups", groups};
      all.push_back(group_count);
      ExpectGradients(
          {.op = "conv2d",
           .inputs = {RandomInput({2, 2, 4, 3}, 1), RandomInput({2, 2 / groups, 2, 2}, 2)},
           .attrs = all});
    }
  }
  ExpectGradients({.op = "conv2d",
                   .inputs = {RandomInput({0, 1, 3, 3}, 1), RandomInput({1, 1, 2, 2}, 2)},
                   .attrs = {}});
}

TEST(Conv2d, GradientsOfTheGradientOps) {
  ExpectGradients({.op = "conv2d_backward_input",
                   .inputs = {RandomInput({1, 2, 2, 2}, 1), RandomInput({2, 1, 2, 2}, 2)},
                   .attrs = {{"input_shape", Ints{1, 1, 4, 3}}, {"strides", Ints{2, 1}}}});
  ExpectGradients({.op = "conv2d_backward_weight",
                   .inputs = {RandomInput({1, 1, 4, 3}, 1), RandomInput({1, 2, 2, 2}, 2)},
                   .attrs = {{"weight_shape", Ints{2, 1, 2, 2}}, {"strides", Ints{2, 1}}}});
}

}  // namespace
}  // namespace tandem
