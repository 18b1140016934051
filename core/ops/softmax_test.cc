#include "tandem/core/ops/softmax.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Softmax, Inference) {
  for (const char* op : {"softmax", "log_softmax"}) {
    EXPECT_EQ(Infer(op, {"f16[2,3]"}), "f16[2,3]");
    EXPECT_EQ(Infer(op, {"f32[2,0]"}, {{"axis", 0}}), "f32[2,0]");
    EXPECT_THAT(Infer(op, {"i32[2]"}), HasSubstr("must have a floating-point dtype, not i32"));
    EXPECT_THAT(Infer(op, {"f32[]"}), HasSubstr("a scalar has no axis"));
    EXPECT_THAT(Infer(op, {"f32[2,3]"}, {{"axis", 2}}), HasSubstr("out of range"));
  }
}

TEST(Softmax, GradientsAndDecompositions) {
  for (const char* op : {"softmax", "log_softmax"}) {
    for (int64_t axis : {-1, 0, 1}) {
      const GradientCase test = {
          .op = op, .inputs = {RandomInput({2, 3, 2}, 1)}, .attrs = {{"axis", axis}}};
      ExpectGradients(test);
      ExpectDecomposition(test);
    }
    ExpectDecomposition({.op = op, .inputs = {RandomInput({2, 0}, 1)}, .attrs = {}});
    ExpectDecomposition({.op = op, .inputs = {F64({3}, {1e4, 0, -1e4})}, .attrs = {}});
  }
}

TEST(CrossEntropy, Inference) {
  EXPECT_EQ(Infer("cross_entropy", {"f32[16,10]", "i64[16]"}), "f32[16]");
  EXPECT_EQ(Infer("cross_entropy", {"f16[2,3,4]", "u8[2,3]"}), "f16[2,3]");
  EXPECT_EQ(Infer("cross_entropy", {"f32[10]", "i32[]"}), "f32[]");
  EXPECT_EQ(Infer("cross_entropy", {"f32[0,10]", "i32[0]"}), "f32[0]");
  EXPECT_THAT(Infer("cross_entropy", {"f32[16,10]", "i64[16,1]"}),
              AllOf(HasSubstr("logits f32[16,10], labels i64[16,1]"),
                    HasSubstr("labels must have the shape [16]")));
  EXPECT_THAT(Infer("cross_entropy", {"f32[16,10]", "f32[16]"}), HasSubstr("integer dtype"));
  EXPECT_THAT(Infer("cross_entropy", {"i32[16,10]", "i32[16]"}), HasSubstr("floating-point"));
  EXPECT_THAT(Infer("cross_entropy", {"f32[16,0]", "i32[16]"}), HasSubstr("at least one class"));
  EXPECT_THAT(Infer("cross_entropy", {"f32[]", "i32[]"}), HasSubstr("at least one class"));
}

TEST(CrossEntropy, ValuesAndLabelsOutOfRange) {
  const Tensor logits = F64({3, 2}, {0, 0, 0, 0, 0, 0});
  EXPECT_THAT(RunOp("cross_entropy", {logits, I64({3}, {1, -1, 2})}),
              ElementsAre(DoubleNear(std::log(2.0), 1e-15), IsNan(), IsNan()));
  EXPECT_THAT(RunGradient("cross_entropy", {logits, I64({3}, {1, -1, 2})}, {}, {1, 1, 1}),
              ElementsAre(0.5, -0.5, IsNan(), IsNan(), IsNan(), IsNan()));
}

TEST(CrossEntropy, MoreClassesThanTheLabelsDTypeHolds) {
  const Tensor labels = ReferenceTape::Input({DType::kU8, {1}}, {3});
  const std::vector<double> grad =
      RunGradient("cross_entropy", {F64({1, 300}, std::vector<double>(300, 0.0)), labels}, {}, {1});
  ASSERT_EQ(grad.size(), 300u);
  EXPECT_NEAR(grad[3], 1.0 / 300 - 1, 1e-15);
  EXPECT_NEAR(grad[4], 1.0 / 300, 1e-15);
}

TEST(CrossEntropy, GradientsAndDecomposition) {
  const GradientCase test = {.op = "cross_entropy",
                             .inputs = {RandomInput({2, 2, 4}, 1), I64({2, 2}, {0, 3, 1, 2})},
                             .attrs = {}};
  ExpectGradients(test);
  ExpectDecomposition(test);
  // A class of probability 0 that is not the label does not spoil the loss.
  ExpectDecomposition({.op = "cross_entropy",
                       .inputs = {F64({2, 3}, {0, -kInfinity, 1, 0, 0, 0}), I64({2}, {2, 7})},
                       .attrs = {}});
}

}  // namespace
}  // namespace tandem
