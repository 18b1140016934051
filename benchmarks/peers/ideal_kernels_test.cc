#include "tandem/benchmarks/peers/ideal_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace tandem::benchmarks::ideal {
namespace {

std::vector<float> Random(int64_t n, float scale) {
  std::mt19937 engine(5);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(n);
  for (float& value : values) value = normal(engine);
  return values;
}

double Cheap(double x) {
  const double y = std::max(std::abs(x * 1.5 + 0.25) * 0.75 - 0.5, 0.0) * 1.25 + 1;
  return -y * y;
}

double Mixed(double x) {
  const double y = 1 / (1 + std::exp(1 - std::exp(2 * std::sqrt(std::tanh(x / 2) + 1.5))));
  return -y * y;
}

// Ten roundings, of which an exponential enlarges the earlier ones by its argument, at most 4.
constexpr double kRounding = 10 * 4 * 0x1p-23;

TEST(IdealKernels, ChainsAreTheirDefinitions) {
  for (const int64_t n : {0, 1, 15, 16, 2047, 2049, 5003}) {
    std::vector<float> x = Random(n, 3);
    // Where exp and tanh saturate.
    for (int64_t i = 0; i < std::min<int64_t>(n, 8); ++i) x[i] = i % 2 == 0 ? 150.0f : -150.0f;
    // Streaming stores want whole lines; behind the end is somebody else's.
    const std::unique_ptr<float, decltype(&std::free)> y(
        static_cast<float*>(std::aligned_alloc(64, (n + 1 + 15) / 16 * 64)), &std::free);
    for (const bool stream : {false, true}) {
      y.get()[n] = 7;
      CheapOps(x.data(), y.get(), n, stream);
      for (int64_t i = 0; i < n; ++i) {
        const double expected = Cheap(x[i]);
        ASSERT_NEAR(y.get()[i], expected, kRounding * std::abs(expected)) << x[i];
      }
      MixedOps(x.data(), y.get(), n, stream);
      for (int64_t i = 0; i < n; ++i) ASSERT_NEAR(y.get()[i], Mixed(x[i]), kRounding) << x[i];
      EXPECT_EQ(y.get()[n], 7);
    }
  }
}

TEST(IdealKernels, ProductsAreTheirDefinitions) {
  constexpr int64_t kColumns = 96;
  const std::vector<float> weight = Random(kPanel * kColumns, 1), x = Random(kColumns, 1);
  const std::vector<float> bias = Random(kPanel, 1);
  std::vector<float> packed(weight.size());
  for (int64_t r = 0; r < kPanel; ++r) {
    for (int64_t k = 0; k < kColumns; ++k) packed[k * kPanel + r] = weight[r * kColumns + k];
  }
  for (const bool relu : {false, true}) {
    std::vector<float> panel(kPanel), rows(kPanel);
    GemvPanel(packed.data(), x.data(), bias.data(), kColumns, relu, panel.data());
    for (int64_t r = 0; r < kPanel; r += 4) {
      GemvRows(&weight[r * kColumns], x.data(), &bias[r], kColumns, relu, &rows[r]);
    }
    for (int64_t r = 0; r < kPanel; ++r) {
      double sum = bias[r], magnitude = std::abs(bias[r]);
      for (int64_t k = 0; k < kColumns; ++k) {
        const double product = static_cast<double>(weight[r * kColumns + k]) * x[k];
        sum += product;
        magnitude += std::abs(product);
      }
      const double bound = 4 * 0x1p-24 * std::sqrt(kColumns) * magnitude;
      const double expected = relu ? std::max(sum, 0.0) : sum;
      EXPECT_NEAR(panel[r], expected, bound);
      EXPECT_NEAR(rows[r], expected, bound);
      EXPECT_NEAR(Dot(&weight[r * kColumns], x.data(), kColumns), sum - bias[r], bound);
    }
  }
}

}  // namespace
}  // namespace tandem::benchmarks::ideal
