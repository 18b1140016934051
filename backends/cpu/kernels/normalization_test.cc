#include "tandem/backends/cpu/kernels/normalization.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"
#include "tandem/core/ops/testing/kernel_checks.h"

namespace tandem::cpu_backend {
namespace {

class NormalizationTest : public testing::TestWithParam<Isa> {
 protected:
  KernelTester tester_{GetParam()};

  KernelRunner runner() {
    return [this](auto&&... request) { return tester_.Run(request...); };
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
    CheckBatchNorm(runner(), {4, 6, 7, 5}, 1, training, DType::kF64);
    CheckBatchNorm(runner(), {4, 6, 7, 5}, 1, training, DType::kBF16);
  }
}

TEST_P(NormalizationTest, LayerNorm) {
  for (int64_t n : {1, 2, 7, 16, 31, 64, 65, 1000}) CheckLayerNorm(runner(), {5, n}, 1);
  CheckLayerNorm(runner(), {3, 20, 70}, 1);
  CheckLayerNorm(runner(), {20, 3}, 0);
  CheckLayerNorm(runner(), {9, 33}, 1, DType::kF64);
  CheckLayerNorm(runner(), {9, 33}, 1, DType::kF16);
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
      tester_.Run("layer_norm", {{"axis", 1}, {"epsilon", 0.0}}, {x, ones, ones},
                  {{DType::kF32, {1, 512}}, {DType::kF32, {1, 1}}, {DType::kF32, {1, 1}}});
  EXPECT_NEAR(y[2][0], 1 / std::sqrt(variance), 32 * 0x1p-24 / std::sqrt(variance));
}

INSTANTIATE_TEST_SUITE_P(Isas, NormalizationTest, testing::ValuesIn(TestedIsas()),
                         [](const auto& info) { return IsaTestName(info.param); });

}  // namespace
}  // namespace tandem::cpu_backend
