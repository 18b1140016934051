#include "tandem/backends/vulkan/kernels/reduction/normalization.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

class NormalizationTest : public LaneTest {
 protected:
  NormalizationTest() : LaneTest(&RegisterNormalizationKernels) {}

  // Means of up to some thousand normal numbers: 16 roundings of terms of size 4 bound their error.
  static double Slack(DType dtype) { return 64 * ComputeRoundoff(dtype); }

  void CheckBatchNorm(const Shape& shape, int axis, bool training, DType dtype = DType::kF32) {
    const int64_t channels = shape[axis];
    int64_t inner = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    TestTensor x = RandomTensor({dtype, shape}, 1);
    const TestTensor gamma = RandomTensor({dtype, {channels}}, 2);
    const TestTensor beta = RandomTensor({dtype, {channels}}, 3);
    const TestTensor mean = RandomTensor({dtype, {channels}}, 4);
    TestTensor variance = RandomTensor({dtype, {channels}}, 5);
    for (double& v : variance.values) v = RoundTo(dtype, std::fabs(v) + 0.5);
    const TensorSpec stat = {dtype, {channels}};
    const auto y =
        tester().Run("batch_norm",
                     {{"axis", axis}, {"epsilon", 1e-3}, {"momentum", 0.7}, {"training", training}},
                     {x, gamma, beta, mean, variance}, {{dtype, shape}, stat, stat, stat, stat});
    ASSERT_EQ(y.size(), 5);
    std::vector<double> m = mean.values, v = variance.values;
    const double n =
        static_cast<double>(x.values.size()) / static_cast<double>(std::max<int64_t>(channels, 1));
    if (training) {
      std::fill(m.begin(), m.end(), 0);
      std::fill(v.begin(), v.end(), 0);
      for (size_t i = 0; i < x.values.size(); ++i) m[i / inner % channels] += x.values[i] / n;
      for (size_t i = 0; i < x.values.size(); ++i) {
        const int64_t c = i / inner % channels;
        v[c] += (x.values[i] - m[c]) * (x.values[i] - m[c]) / n;
      }
    }
    const double slack = Slack(dtype) + 2 * StorageRoundoff(dtype);
    for (int64_t c = 0; c < channels; ++c) {
      const double unbiased = training ? v[c] * n / std::max(n - 1, 1.0) : v[c];
      const double keep = training ? 0.7 : 1;
      EXPECT_NEAR(y[1][c], keep * mean.values[c] + (1 - keep) * m[c], slack * 4);
      EXPECT_NEAR(y[2][c], keep * variance.values[c] + (1 - keep) * unbiased, slack * 4);
      EXPECT_NEAR(y[3][c], m[c], slack);
      const double rstd = 1 / std::sqrt(v[c] + 1e-3);
      EXPECT_NEAR(y[4][c], rstd, slack * rstd * std::max(1.0, rstd * rstd));
    }
    for (size_t i = 0; i < x.values.size(); ++i) {
      const int64_t c = i / inner % channels;
      const double rstd = 1 / std::sqrt(v[c] + 1e-3);
      const double h = (x.values[i] - m[c]) * rstd;
      const double want = h * gamma.values[c] + beta.values[c];
      const double error =
          std::fabs(gamma.values[c]) * rstd * (1 + std::fabs(h) * rstd) + std::fabs(want);
      ASSERT_NEAR(y[0][i], want, slack * error) << shape.ToString() << " " << i;
    }
  }

  void CheckLayerNorm(const Shape& shape, int axis, DType dtype = DType::kF32) {
    const int64_t size = shape[axis];
    int64_t inner = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    const TestTensor x = RandomTensor({dtype, shape}, 1);
    const TestTensor gamma = RandomTensor({dtype, {size}}, 2);
    const TestTensor beta = RandomTensor({dtype, {size}}, 3);
    Shape stat = shape;
    stat[axis] = 1;
    const auto y = tester().Run("layer_norm", {{"axis", axis}, {"epsilon", 1e-3}}, {x, gamma, beta},
                                {{dtype, shape}, {dtype, stat}, {dtype, stat}});
    ASSERT_EQ(y.size(), 3);
    const double slack = Slack(dtype) + 2 * StorageRoundoff(dtype);
    for (int64_t line = 0; line < stat.num_elements(); ++line) {
      const int64_t first = line / inner * size * inner + line % inner;
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < size; ++i) mean += x.values[first + i * inner] / size;
      for (int64_t i = 0; i < size; ++i) {
        variance += std::pow(x.values[first + i * inner] - mean, 2) / size;
      }
      const double rstd = 1 / std::sqrt(variance + 1e-3);
      EXPECT_NEAR(y[1][line], mean, slack);
      EXPECT_NEAR(y[2][line], rstd, slack * rstd * std::max(1.0, rstd * rstd));
      for (int64_t i = 0; i < size; ++i) {
        const double h = (x.values[first + i * inner] - mean) * rstd;
        const double want = h * gamma.values[i] + beta.values[i];
        const double error =
            std::fabs(gamma.values[i]) * rstd * (1 + std::fabs(h) * rstd) + std::fabs(want);
        ASSERT_NEAR(y[0][first + i * inner], want, slack * error) << shape.ToString();
      }
    }
  }
};

TEST_P(NormalizationTest, BatchNorm) {
  for (bool training : {false, true}) {
    CheckBatchNorm({4, 6, 7, 5}, 1, training);
    CheckBatchNorm({2, 3, 65}, 1, training);
    CheckBatchNorm({33, 100}, 1, training);
    CheckBatchNorm({5, 4, 7}, 2, training);
    CheckBatchNorm({8, 40, 33}, 0, training);
    CheckBatchNorm({1, 5}, 1, training);
    CheckBatchNorm({64, 3, 16, 16}, 1, training);
    CheckBatchNorm({5000, 3}, 1, training);
    CheckBatchNorm({3, 0, 4}, 1, training);
    CheckBatchNorm({4, 6, 7, 5}, 1, training, DType::kF64);
    CheckBatchNorm({4, 6, 7, 5}, 1, training, DType::kBF16);
  }
}

TEST_P(NormalizationTest, LayerNorm) {
  for (int64_t n : {1, 2, 7, 63, 64, 65, 1000, 2100, 9001}) CheckLayerNorm({5, n}, 1);
  CheckLayerNorm({700, 10}, 1);
  CheckLayerNorm({0, 10}, 1);
  CheckLayerNorm({2, 1000, 5}, 1);
  CheckLayerNorm({3, 20, 70}, 1);
  CheckLayerNorm({20, 3}, 0);
  CheckLayerNorm({9, 33}, 1, DType::kF64);
  CheckLayerNorm({9, 33}, 1, DType::kF16);
}

TEST_P(NormalizationTest, EmptyBatchOfRunningStatistics) { CheckBatchNorm({0, 5, 3}, 1, false); }

TEST_P(NormalizationTest, NaNStaysInItsChannel) {
  TestTensor x = RandomTensor({DType::kF32, {4, 3, 5}}, 1);
  x.values[5] = std::nan("");  // of channel 1
  const TestTensor ones = MakeTensor({DType::kF32, {3}}, {1, 1, 1});
  const TensorSpec stat = {DType::kF32, {3}};
  const auto y = tester().Run(
      "batch_norm", {{"axis", 1}, {"epsilon", 1e-3}, {"momentum", 0.7}, {"training", true}},
      {x, ones, ones, ones, ones}, {x.layout.spec, stat, stat, stat, stat});
  ASSERT_EQ(y.size(), 5);
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(std::isnan(y[0][c * 5]), c == 1);
    for (int output = 1; output < 5; ++output)
      EXPECT_EQ(std::isnan(y[output][c]), c == 1) << output;
  }
}

// A large mean must not swallow a small variance.
TEST_P(NormalizationTest, VarianceFarFromZero) {
  TestTensor x = RandomTensor({DType::kF32, {1, 512}}, 1);
  double mean = 0, variance = 0;
  for (double& v : x.values) v = RoundTo(DType::kF32, 4096.3 + v);
  for (double v : x.values) mean += v / 512;
  for (double v : x.values) variance += (v - mean) * (v - mean) / 512;
  const TestTensor ones = MakeTensor({DType::kF32, {512}}, std::vector<double>(512, 1));
  const auto y =
      tester().Run("layer_norm", {{"axis", 1}, {"epsilon", 0.0}}, {x, ones, ones},
                   {{DType::kF32, {1, 512}}, {DType::kF32, {1, 1}}, {DType::kF32, {1, 1}}});
  ASSERT_EQ(y.size(), 3);
  EXPECT_NEAR(y[2][0], 1 / std::sqrt(variance), 32 * 0x1p-24 / std::sqrt(variance));
  // As the one channel of 512 images.
  x.layout = TensorLayout::Contiguous({DType::kF32, {512, 1}});
  const TestTensor one = MakeTensor({DType::kF32, {1}}, {1});
  const TensorSpec stat = {DType::kF32, {1}};
  const auto b = tester().Run(
      "batch_norm", {{"axis", 1}, {"epsilon", 0.0}, {"momentum", 0.7}, {"training", true}},
      {x, one, one, one, one}, {x.layout.spec, stat, stat, stat, stat});
  ASSERT_EQ(b.size(), 5);
  EXPECT_NEAR(b[4][0], 1 / std::sqrt(variance), 32 * 0x1p-24 / std::sqrt(variance));
}

INSTANTIATE_TEST_SUITE_P(Variants, NormalizationTest, testing::ValuesIn(kLaneVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
