#include "tandem/backends/cpu/kernels/softmax.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"

namespace tandem::cpu_backend {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class SoftmaxTest : public testing::TestWithParam<Isa> {
 protected:
  KernelTester tester_{GetParam()};

  // Shape [outer, n, inner], along axis 1. x - max is exact to u |x - max|, which exp turns into a
  // relative error; exp itself is within 2 ulp; the sum adds sqrt(n) roundings.
  void Check(const TestTensor& x, bool log) {
    const Shape& s = x.layout.spec.shape;
    const DType dtype = x.layout.spec.dtype;
    const auto y = tester_.Run(log ? "log_softmax" : "softmax", {{"axis", 1}}, {x}, {{dtype, s}});
    ASSERT_EQ(y.size(), 1);
    const double u = ComputeRoundoff(dtype);
    for (int64_t o = 0; o < s[0]; ++o) {
      for (int64_t j = 0; j < s[2]; ++j) {
        const auto at = [&](int64_t i) { return (o * s[1] + i) * s[2] + j; };
        double max = -kInfinity, min = kInfinity, sum = 0;
        for (int64_t i = 0; i < s[1]; ++i) max = std::fmax(max, x.values[at(i)]);
        for (int64_t i = 0; i < s[1]; ++i) min = std::fmin(min, x.values[at(i)]);
        for (int64_t i = 0; i < s[1]; ++i) sum += std::exp(x.values[at(i)] - max);
        const double relative = u * (max - min + 8 + std::sqrt(s[1]));
        for (int64_t i = 0; i < s[1]; ++i) {
          const double shifted = x.values[at(i)] - max;
          const double want = log ? shifted - std::log(sum) : std::exp(shifted) / sum;
          const double bound =
              (log ? relative + 4 * u * std::fabs(want) : 2 * relative * want + 0x1p-126) +
              StorageRoundoff(dtype) * std::fabs(want) * 1.01;
          ASSERT_NEAR(y[0][at(i)], want, bound) << s.ToString() << " " << at(i);
        }
      }
    }
  }
};

TEST_P(SoftmaxTest, Sizes) {
  for (int64_t n : {1, 2, 7, 10, 16, 17, 63, 64, 65, 1000}) {
    for (int64_t inner : {1, 3, 16, 70}) {
      for (bool log : {false, true}) {
        Check(RandomTensor({DType::kF32, {3, n, inner}}, 1), log);
        if (HasFatalFailure()) return;
      }
    }
  }
  Check(RandomTensor({DType::kF32, {3000, 100, 1}}, 1), false);
}

TEST_P(SoftmaxTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16}) {
    Check(RandomTensor({dtype, {5, 33, 1}}, 1), false);
    Check(RandomTensor({dtype, {5, 33, 2}}, 1), true);
  }
  EXPECT_FALSE(tester_.Supports("softmax", {{"axis", 0}}, {RandomTensor({DType::kI32, {3}}, 1)},
                                {{DType::kI32, {3}}}));
}

TEST_P(SoftmaxTest, LargeValuesDoNotOverflow) {
  TestTensor x = RandomTensor({DType::kF32, {2, 20, 1}}, 1);
  for (double& v : x.values) v = RoundTo(DType::kF32, v * 1e4);
  Check(x, false);
  Check(x, true);
  x.values[3] = -kInfinity;
  const auto y = tester_.Run("softmax", {{"axis", 1}}, {x}, {x.layout.spec});
  EXPECT_EQ(y[0][3], 0);
  EXPECT_FALSE(std::isnan(y[0][4]));
}

TEST_P(SoftmaxTest, NaNFillsItsRowOnly) {
  TestTensor x = RandomTensor({DType::kF32, {2, 20, 1}}, 1);
  x.values[7] = std::nan("");
  const auto y = tester_.Run("softmax", {{"axis", 1}}, {x}, {x.layout.spec});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(std::isnan(y[0][i])) << i;
  for (int i = 20; i < 40; ++i) EXPECT_FALSE(std::isnan(y[0][i])) << i;
}

TEST_P(SoftmaxTest, CrossEntropy) {
  const TestTensor x = RandomTensor({DType::kF32, {6, 10}}, 1);
  for (DType labels : {DType::kI64, DType::kI32, DType::kU8}) {
    const TestTensor l = MakeTensor({labels, {6}}, {0, 9, 3, 10, 5, 5});
    const auto y = tester_.Run("cross_entropy", {}, {x, l}, {{DType::kF32, {6}}});
    for (int i = 0; i < 6; ++i) {
      if (l.values[i] == 10) {
        EXPECT_TRUE(std::isnan(y[0][i]));
        continue;
      }
      double sum = 0;
      for (int j = 0; j < 10; ++j) sum += std::exp(x.values[i * 10 + j]);
      const double want = std::log(sum) - x.values[i * 10 + static_cast<int>(l.values[i])];
      EXPECT_NEAR(y[0][i], want, 0x1p-24 * 16 * (1 + std::fabs(want))) << i;
    }
  }
  const auto y =
      tester_.Run("cross_entropy", {}, {x, MakeTensor({DType::kI32, {6}}, {-1, 0, 0, 0, 0, 0})},
                  {{DType::kF32, {6}}});
  EXPECT_TRUE(std::isnan(y[0][0]));
}

INSTANTIATE_TEST_SUITE_P(Isas, SoftmaxTest, testing::ValuesIn(TestedIsas()),
                         [](const auto& info) { return IsaTestName(info.param); });

}  // namespace
}  // namespace tandem::cpu_backend
