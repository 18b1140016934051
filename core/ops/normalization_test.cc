#include "tandem/core/ops/normalization.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> BatchNormSpecs(std::string x, const std::string& parameter) {
  return {std::move(x), parameter, parameter, parameter, parameter};
}

std::vector<Tensor> BatchNormInputs(const Shape& shape, int axis) {
  const Shape channels = {shape[axis]};
  std::vector<double> variance;
  for (int64_t i = 0; i < shape[axis]; ++i) variance.push_back(0.5 + static_cast<double>(i));
  return {RandomInput(shape, 1), RandomInput(channels, 2), RandomInput(channels, 3),
          RandomInput(channels, 4), F64(channels, variance)};
}

TEST(BatchNorm, Inference) {
  EXPECT_EQ(Infer("batch_norm", BatchNormSpecs("f32[2,3,4,5]", "f32[3]")),
            "f32[2,3,4,5] f32[3] f32[3] f32[3] f32[3]");
  EXPECT_EQ(Infer("batch_norm", BatchNormSpecs("f16[2,3]", "f32[3]"), {{"training", true}}),
            "f16[2,3] f32[3] f32[3] f32[3] f32[3]");
  EXPECT_EQ(Infer("batch_norm", BatchNormSpecs("f32[0,3]", "f32[3]")),
            "f32[0,3] f32[3] f32[3] f32[3] f32[3]");
  EXPECT_EQ(Infer("batch_norm", BatchNormSpecs("f32[2,0]", "f32[0]"), {{"training", true}}),
            "f32[2,0] f32[0] f32[0] f32[0] f32[0]");
}

TEST(BatchNorm, Errors) {
  EXPECT_THAT(Infer("batch_norm", BatchNormSpecs("f32[2,3,4]", "f32[4]")),
              AllOf(HasSubstr("batch_norm(x f32[2,3,4], gamma f32[4]"),
                    HasSubstr("gamma must have the shape [3]")));
  EXPECT_THAT(Infer("batch_norm", BatchNormSpecs("f32[2]", "f32[2]")), HasSubstr("axis 1"));
  EXPECT_THAT(Infer("batch_norm", BatchNormSpecs("i32[2,3]", "f32[3]")),
              HasSubstr("floating-point"));
  EXPECT_THAT(Infer("batch_norm", BatchNormSpecs("f32[2,3]", "f64[3]")),
              HasSubstr("gamma must have the dtype of x"));
  EXPECT_THAT(Infer("batch_norm", {"f32[2,3]", "f32[3]", "f64[3]", "f32[3]", "f32[3]"}),
              HasSubstr("gamma and beta must have one dtype"));
  EXPECT_THAT(Infer("batch_norm", BatchNormSpecs("f32[0,3]", "f32[3]"), {{"training", true}}),
              HasSubstr("an empty batch has no statistics"));
  EXPECT_THAT(Infer("batch_norm", BatchNormSpecs("f32[2,3]", "f32[3]"), {{"epsilon", -1.0}}),
              HasSubstr("epsilon"));
  EXPECT_THAT(Infer("batch_norm", BatchNormSpecs("f32[2,3]", "f32[3]"), {{"momentum", 1.5}}),
              HasSubstr("momentum"));
}

TEST(BatchNorm, RunningStatistics) {
  const std::vector<Tensor> inputs = {F64({2, 1}, {1, 3}), F64({1}, {1}), F64({1}, {0}),
                                      F64({1}, {10}), F64({1}, {4})};
  const Attrs training = {{"training", true}, {"momentum", 0.75}, {"epsilon", 0.0}};
  EXPECT_THAT(RunOp("batch_norm", inputs, training, 0), ElementsAre(-1, 1));
  EXPECT_THAT(RunOp("batch_norm", inputs, training, 1), ElementsAre(0.75 * 10 + 0.25 * 2));
  // The variance of 1 and 3 is 1 divided by n, 2 divided by n - 1.
  EXPECT_THAT(RunOp("batch_norm", inputs, training, 2), ElementsAre(0.75 * 4 + 0.25 * 2));
  EXPECT_THAT(RunOp("batch_norm", inputs, training, 3), ElementsAre(2));
  EXPECT_THAT(RunOp("batch_norm", inputs, training, 4), ElementsAre(1));
  const Attrs inference = {{"epsilon", 0.0}};
  EXPECT_THAT(RunOp("batch_norm", inputs, inference, 0), ElementsAre(-4.5, -3.5));
  EXPECT_THAT(RunOp("batch_norm", inputs, inference, 1), ElementsAre(10));
  EXPECT_THAT(RunOp("batch_norm", inputs, inference, 2), ElementsAre(4));
  EXPECT_THAT(RunOp("batch_norm", inputs, inference, 3), ElementsAre(10));
  EXPECT_THAT(RunOp("batch_norm", inputs, inference, 4), ElementsAre(0.5));
}

TEST(BatchNorm, GradientsAndDecomposition) {
  for (bool training : {false, true}) {
    for (int axis : {0, 1, -1}) {
      const Shape shape = {3, 2, 4};
      const GradientCase test = {.op = "batch_norm",
                                 .inputs = BatchNormInputs(shape, axis < 0 ? 2 : axis),
                                 .attrs = {{"axis", axis}, {"training", training}},
                                 .differentiate = 0b111};
      ExpectGradients(test);
      ExpectDecomposition(test);
    }
    const GradientCase images = {.op = "batch_norm",
                                 .inputs = BatchNormInputs({2, 2, 2, 2}, 1),
                                 .attrs = {{"training", training}},
                                 .differentiate = 0b111};
    ExpectGradients(images);
    ExpectDecomposition(images);
    ExpectDecomposition({.op = "batch_norm",
                         .inputs = BatchNormInputs({1, 3}, 1),
                         .attrs = {{"training", training}}});
    ExpectDecomposition({.op = "batch_norm",
                         .inputs = BatchNormInputs({2, 0, 3}, 1),
                         .attrs = {{"training", training}}});
  }
}

TEST(BatchNorm, GradientsThroughTheStatistics) {
  ExpectGradients({.op = "batch_norm",
                   .inputs = BatchNormInputs({3, 2, 2}, 1),
                   .attrs = {{"training", true}},
                   .outputs = 0b11001,
                   .differentiate = 0b111});
  ExpectGradients({.op = "batch_norm",
                   .inputs = BatchNormInputs({3, 2}, 1),
                   .attrs = {{"training", true}},
                   .outputs = 0b10000,
                   .differentiate = 0b111});
}

TEST(LayerNorm, Inference) {
  EXPECT_EQ(Infer("layer_norm", {"f32[2,3,4]", "f32[4]", "f32[4]"}),
            "f32[2,3,4] f32[2,3,1] f32[2,3,1]");
  EXPECT_EQ(Infer("layer_norm", {"bf16[2,3]", "f32[2]", "f32[2]"}, {{"axis", 0}}),
            "bf16[2,3] f32[1,3] f32[1,3]");
  EXPECT_EQ(Infer("layer_norm", {"f32[0,3]", "f32[3]", "f32[3]"}), "f32[0,3] f32[0,1] f32[0,1]");
  EXPECT_THAT(Infer("layer_norm", {"f32[2,0]", "f32[0]", "f32[0]"}), HasSubstr("not be empty"));
  EXPECT_THAT(Infer("layer_norm", {"f32[2,3]", "f32[2]", "f32[3]"}),
              HasSubstr("gamma must have the shape [3]"));
  EXPECT_THAT(Infer("layer_norm", {"f32[]", "f32[1]", "f32[1]"}), HasSubstr("scalar"));
}

TEST(LayerNorm, GradientsAndDecomposition) {
  for (int axis : {0, 1, -1}) {
    const Shape shape = {2, 3, 4};
    const Shape size = {shape[axis < 0 ? 2 : axis]};
    const GradientCase test = {
        .op = "layer_norm",
        .inputs = {RandomInput(shape, 1), RandomInput(size, 2), RandomInput(size, 3)},
        .attrs = {{"axis", axis}}};
    ExpectGradients(test);
    ExpectDecomposition(test);
  }
  ExpectGradients({.op = "layer_norm",
                   .inputs = {RandomInput({4}, 1), RandomInput({4}, 2), RandomInput({4}, 3)},
                   .attrs = {}});
  ExpectGradients({.op = "layer_norm",
                   .inputs = {RandomInput({2, 3}, 1), RandomInput({3}, 2), RandomInput({3}, 3)},
                   .attrs = {},
                   .outputs = 0b111});
}

}  // namespace
}  // namespace tandem
