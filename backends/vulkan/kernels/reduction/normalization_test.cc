#include "tandem/backends/vulkan/kernels/reduction/normalization.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"
#include "tandem/core/ops/testing/kernel_checks.h"

namespace tandem::vulkan_backend {
namespace {

class NormalizationTest : public LaneTest {
 protected:
  NormalizationTest() : LaneTest(&RegisterNormalizationKernels) {}

  KernelRunner runner() {
    return [this](auto&&... request) { return tester().Run(request...); };
  }
};

TEST_P(NormalizationTest, BatchNorm) {
  for (bool training : {false, true}) {
    CheckBatchNorm(runner(), {4, 6, 7, 5}, 1, training);
    CheckBatchNorm(runner(), {2, 3, 65}, 1, training);
    CheckBatchNorm(runner(), {33, 100}, 1, training);
    CheckBatchNorm(runner(), {5, 4, 7}, 2, training);
    CheckBatchNorm(runner(), {8, 40, 33}, 0, training);
    CheckBatchNorm(runner(), {1, 5}, 1, training);
    CheckBatchNorm(runner(), {64, 3, 16, 16}, 1, training);
    CheckBatchNorm(runner(), {5000, 3}, 1, training);
    CheckBatchNorm(runner(), {3, 0, 4}, 1, training);
    CheckBatchNorm(runner(), {4, 6, 7, 5}, 1, training, DType::kF64);
    CheckBatchNorm(runner(), {4, 6, 7, 5}, 1, training, DType::kBF16);
  }
}

TEST_P(NormalizationTest, LayerNorm) {
  for (int64_t n : {1, 2, 7, 63, 64, 65, 1000, 2100, 9001}) CheckLayerNorm(runner(), {5, n}, 1);
  CheckLayerNorm(runner(), {700, 10}, 1);
  CheckLayerNorm(runner(), {0, 10}, 1);
  CheckLayerNorm(runner(), {2, 1000, 5}, 1);
  CheckLayerNorm(runner(), {3, 20, 70}, 1);
  CheckLayerNorm(runner(), {20, 3}, 0);
  CheckLayerNorm(runner(), {9, 33}, 1, DType::kF64);
  CheckLayerNorm(runner(), {9, 33}, 1, DType::kF16);
}

TEST_P(NormalizationTest, EmptyBatchOfRunningStatistics) {
  CheckBatchNorm(runner(), {0, 5, 3}, 1, false);
}

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
