#include "tandem/backends/vulkan/kernels/reduction/softmax.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class SoftmaxTest : public LaneTest {
 protected:
  SoftmaxTest() : LaneTest(&RegisterSoftmaxKernels) {}

  // Shape [outer, n, inner], along axis 1. x - max is exact to u |x - max|, which exp turns into a
  // relative error; exp itself is within 4 ulp; the sum adds sqrt(n) roundings.
  void Check(const TestTensor& x, bool log) {
    const Shape& s = x.layout.spec.shape;
    const DType dtype = x.layout.spec.dtype;
    const auto y = tester().Run(log ? "log_softmax" : "softmax", {{"axis", 1}}, {x}, {{dtype, s}});
    ASSERT_EQ(y.size(), 1);
    const double u = ComputeRoundoff(dtype);
    for (int64_t o = 0; o < s[0]; ++o) {
      for (int64_t j = 0; j < s[2]; ++j) {
        const auto at = [&](int64_t i) { return (o * s[1] + i) * s[2] + j; };
        double max = -kInfinity, min = kInfinity, sum = 0;
        for (int64_t i = 0; i < s[1]; ++i) max = std::fmax(max, x.values[at(i)]);
        for (int64_t i = 0; i < s[1]; ++i) min = std::fmin(min, x.values[at(i)]);
        for (int64_t i = 0; i < s[1]; ++i) sum += std::exp(x.values[at(i)] - max);
        const double relative = u * (max - min + 10 + std::sqrt(s[1]));
        for (int64_t i = 0; i < s[1]; ++i) {
          const double shifted = x.values[at(i)] - max;
          const double want = log ? shifted - std::log(sum) : std::exp(shifted) / sum;
          const double bound =
              (log ? relative + 4 * u * std::fabs(want) : 2 * relative * want + 0x1p-126) +
              StorageRoundoff(dtype) * std::fabs(want) * 1.01;
          ASSERT_NEAR(y[0][at(i)], want, bound)
              << x.layout.spec.ToString() << " " << at(i) << " " << tester().description();
        }
      }
    }
  }

  // From one row of logits for each label; a label that is no class gives NaN.
  void CheckCrossEntropy(DType dtype, DType label_dtype, int64_t classes) {
    std::vector<double> labels = {0, static_cast<double>(classes - 1), 3, 5, 5, 1};
    if (label_dtype != DType::kU8) labels.push_back(-1);
    if (classes < 127) labels.push_back(static_cast<double>(classes));
    if (label_dtype == DType::kI64) labels.insert(labels.end(), {4294967296.0, -4294967295.0});
    const auto rows = static_cast<int64_t>(labels.size());
    const TestTensor x = RandomTensor({dtype, {rows, classes}}, 1);
    const auto y = tester().Run("cross_entropy", {}, {x, MakeTensor({label_dtype, {rows}}, labels)},
                                {{dtype, {rows}}});
    ASSERT_EQ(y.size(), 1);
    for (int64_t i = 0; i < rows; ++i) {
      if (labels[i] < 0 || labels[i] >= static_cast<double>(classes)) {
        EXPECT_TRUE(std::isnan(y[0][i])) << labels[i];
        continue;
      }
      double sum = 0;
      for (int64_t j = 0; j < classes; ++j) sum += std::exp(x.values[i * classes + j]);
      const double want = std::log(sum) - x.values[i * classes + static_cast<int64_t>(labels[i])];
      const double relative = ComputeRoundoff(dtype) * (16 + std::sqrt(classes));
      EXPECT_NEAR(y[0][i], want,
                  relative * (1 + std::fabs(want)) + StorageRoundoff(dtype) * std::fabs(want))
          << DTypeName(label_dtype) << " " << i;
    }
  }
};

TEST_P(SoftmaxTest, Sizes) {
  for (int64_t n : {1, 7, 10, 63, 64, 65, 1000, 9001}) {
    for (int64_t inner : {1, 70}) {
      if (n * inner > 70000) continue;
      for (bool log : {false, true}) {
        Check(RandomTensor({DType::kF32, {3, n, inner}}, 1), log);
        if (HasFatalFailure()) return;
      }
    }
  }
  Check(RandomTensor({DType::kF32, {3000, 10, 1}}, 1), false);
}

TEST_P(SoftmaxTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16}) {
    Check(RandomTensor({dtype, {5, 33, 1}}, 1), false);
    Check(RandomTensor({dtype, {5, 33, 2}}, 1), true);
  }
}

TEST_P(SoftmaxTest, NoElements) {
  Check(MakeTensor({DType::kF32, {0, 7, 1}}, {}), false);
  Check(MakeTensor({DType::kF32, {7, 0, 1}}, {}), true);
}

TEST_P(SoftmaxTest, LargeValuesDoNotOverflow) {
  TestTensor x = RandomTensor({DType::kF32, {2, 20, 1}}, 1);
  for (double& v : x.values) v = RoundTo(DType::kF32, v * 1e4);
  Check(x, false);
  Check(x, true);
  x.values[3] = -kInfinity;
  const auto y = tester().Run("softmax", {{"axis", 1}}, {x}, {x.layout.spec});
  ASSERT_EQ(y.size(), 1);
  EXPECT_EQ(y[0][3], 0);
  EXPECT_FALSE(std::isnan(y[0][4]));
}

TEST_P(SoftmaxTest, NaNFillsItsRowOnly) {
  for (double special : {std::nan(""), kInfinity}) {
    TestTensor x = RandomTensor({DType::kF32, {2, 20, 1}}, 1);
    x.values[7] = special;
    const auto y = tester().Run("softmax", {{"axis", 1}}, {x}, {x.layout.spec});
    ASSERT_EQ(y.size(), 1);
    // With an infinity, exp(-infinity) / NaN.
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(std::isnan(y[0][i])) << i;
    for (int i = 20; i < 40; ++i) EXPECT_FALSE(std::isnan(y[0][i])) << i;
  }
}

TEST_P(SoftmaxTest, CrossEntropy) {
  for (DType labels : {DType::kI64, DType::kI32, DType::kU8, DType::kI8, DType::kI16}) {
    CheckCrossEntropy(DType::kF32, labels, 10);
  }
  CheckCrossEntropy(DType::kF32, DType::kI32, 1000);
  CheckCrossEntropy(DType::kF64, DType::kI64, 65);
  CheckCrossEntropy(DType::kF16, DType::kI64, 65);
}

TEST_P(SoftmaxTest, TooLargeIsAnError) {
  const TensorSpec x = {DType::kF32, {1 << 16, 1 << 16}};
  EXPECT_EQ(tester().Prepare("softmax", {{"axis", 1}}, {x}, {x}).code(),
            absl::StatusCode::kResourceExhausted);
}

INSTANTIATE_TEST_SUITE_P(Variants, SoftmaxTest, testing::ValuesIn(kLaneVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
