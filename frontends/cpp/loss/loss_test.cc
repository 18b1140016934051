#include "tandem/frontends/cpp/loss/loss.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kUlp = 6e-8;  // of float, relative

TEST(Losses, L2AndL1) {
  const Tensor p = Array({1, 2, 3, 4}, {2, 2});
  const Tensor y = Array({1, 0, 3, 8}, {2, 2});
  EXPECT_THAT(ToVector(L2Loss()(p, y)), ElementsAre(1, 4));
  EXPECT_THAT(ToVector(L1Loss()(p, y)), ElementsAre(1, 2));
  EXPECT_THAT(ToVector(L1Loss({.weight = 3})(p, y)), ElementsAre(3, 6));
  EXPECT_THAT(ToVector(L1Loss()(p, y, Array({0, 1}, {2, 1}))), ElementsAre(0, 2));
  // A label of another shape, with as many elements.
  EXPECT_THAT(ToVector(L1Loss()(Array({1, 2}, {2, 1}), Array({0, 0}))), ElementsAre(1, 2));
}

TEST(Losses, SoftmaxCrossEntropyForms) {
  const Tensor logits = Array({1, 2, 3, -1, 0, 5}, {2, 3});
  const Tensor labels = Array<int32_t>({2, 0});
  auto expected = [](double a, double b, double c, double chosen) {
    return std::log(std::exp(a) + std::exp(b) + std::exp(c)) - chosen;
  };
  const double first = expected(1, 2, 3, 3);
  const double second = expected(-1, 0, 5, -1);
  auto check = [&](const Tensor& loss) {
    const std::vector<float> l = ToVector(loss);
    ASSERT_EQ(l.size(), 2u);
    EXPECT_NEAR(l[0], first, 16 * kUlp * 3);
    EXPECT_NEAR(l[1], second, 16 * kUlp * 6);
  };
  check(SoftmaxCrossEntropyLoss()(logits, labels));
  check(SoftmaxCrossEntropyLoss()(logits, Array({2, 0})));  // numbers as f32
  check(
      SoftmaxCrossEntropyLoss({.sparse_label = false})(logits, Array({0, 0, 1, 1, 0, 0}, {2, 3})));
  const Tensor log_p = LogSoftmax(logits);
  check(SoftmaxCrossEntropyLoss({.from_logits = true})(log_p, labels));
  // The classes along axis 0, the batch along axis 1.
  check(SoftmaxCrossEntropyLoss({.axis = 0, .batch_axis = 0})(Transpose(logits), labels));
}

TEST(Losses, AClassThatIsNotThereIsNan) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor log_p = Array({-1, -2, -1, -2, 0, -inf}, {3, 2});
  const Tensor labels = Array<int32_t>({2, -1, 0});
  for (const bool from_logits : {false, true}) {
    const std::vector<float> l =
        ToVector(SoftmaxCrossEntropyLoss({.from_logits = from_logits})(log_p, labels));
    EXPECT_TRUE(std::isnan(l[0])) << from_logits;
    EXPECT_TRUE(std::isnan(l[1])) << from_logits;
    EXPECT_EQ(l[2], 0) << "an impossible other class, from_logits " << from_logits;
  }
}

TEST(Losses, SigmoidBinaryCrossEntropyDoesNotOverflow) {
  const Tensor p = Array({0, 100, -100, 100}, {4, 1});
  const Tensor y = Array({1, 1, 0, 0}, {4, 1});
  const std::vector<float> l = ToVector(SigmoidBinaryCrossEntropyLoss()(p, y));
  EXPECT_NEAR(l[0], std::log(2.0), 8 * kUlp);
  // exp(-100), a subnormal number.
  EXPECT_LT(l[1], 1e-43);
  EXPECT_LT(l[2], 1e-43);
  EXPECT_EQ(l[3], 100);
  const std::vector<float> from =
      ToVector(SigmoidBinaryCrossEntropyLoss({.from_sigmoid = true})(Array({0.5}), Array({1})));
  EXPECT_NEAR(from[0], std::log(2.0), 8 * kUlp);
}

TEST(Losses, WrongShapesAreErrors) {
  try {
    L2Loss()(Ones({2, 3}), Ones({2, 4}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("[2,3]"));
    EXPECT_THAT(error.what(), HasSubstr("[2,4]"));
  }
  EXPECT_THROW(L2Loss()(Ones({2})), Error);
}

}  // namespace
}  // namespace tandem
