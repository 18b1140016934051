// What the end-to-end tests on a Vulkan device share: the device under the validation layer, whose
// messages fail the test that caused them.
//
//   class MyTest : public VulkanTest {};
//   TEST_F(MyTest, Adds) {
//     const DeviceScope scope(gpu());
//     ...
//
// A machine without a Vulkan driver skips the tests, and says why.
#ifndef TANDEM_TESTS_E2E_VULKAN_FIXTURE_H_
#define TANDEM_TESTS_E2E_VULKAN_FIXTURE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/core/device/backend.h"
#include "tandem/tests/e2e/networks.h"

namespace tandem {

// vulkan:0, opened once, with synchronization validation.
inline const absl::StatusOr<Device*>& OpenVulkan() {
  static const auto& opened = *new absl::StatusOr<Device*>([]() -> absl::StatusOr<Device*> {
    BackendRegistry& backends = BackendRegistry::Global();
    if (const absl::Status status = backends.SetOption("vulkan", "validation", "sync");
        !status.ok()) {
      return status;
    }
    return backends.Open("vulkan:0");
  }());
  return opened;
}

class VulkanTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto& opened = OpenVulkan();
    if (absl::IsUnavailable(opened.status())) GTEST_SKIP() << "skipped: " << opened.status();
    ASSERT_TRUE(opened.ok()) << opened.status();
    OpenDevice("vulkan:0");
  }
  void TearDown() override {
    EXPECT_THAT(vulkan_backend::ValidationLog::Global().Take(), testing::IsEmpty());
  }

  static Device& gpu() { return **OpenVulkan(); }
  static Device& cpu() { return OpenDevice("cpu:0"); }
};

// Parameters in their order, whatever they are called.
inline std::vector<std::vector<float>> OrderedValues(const Block& net) {
  std::vector<std::vector<float>> values;
  for (const ParameterPtr& p : net.CollectParameters()) values.push_back(ToVector(p->Data()));
  return values;
}

inline bool SameBits(const std::vector<std::vector<float>>& a,
                     const std::vector<std::vector<float>>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return SameBits(x, y); });
}

// --- how far results of two devices may be apart --------------------------------------------------
//
// Each device sums in an order of its own. A sum of K products in f32 is, with a probability close to
// 1, that of operands which were changed by a relative c·√K·u, u = 2^-24 (N. J. Higham and T. Mary,
// "A new approach to probabilistic rounding error analysis", 2019). So results may differ as much as
// those of one device do when its weights are changed by so little. Some such changes are tried; a
// factor stands for those that are not.

inline constexpr double kPerturbation = 0x1p-24;  // c·u; times √K
inline constexpr int kPerturbationTrials = 4;
inline constexpr double kPerturbationFactor = 4;

// Of the networks in networks.h: the gradient of LeNet's first convolution, for a batch of one, which
// is longer than the MLP's 512.
inline constexpr double kLongestSum = 576;

// Changes every parameter by a random relative amount of at most c·√K·u.
inline void Perturb(const Block& net, uint32_t seed) {
  std::mt19937 random(seed);
  const double bound = kPerturbation * std::sqrt(kLongestSum);
  std::uniform_real_distribution<double> change(-bound, bound);
  for (const ParameterPtr& p : net.CollectParameters()) {
    std::vector<float> values = ToVector(p->Data());
    for (float& value : values) value = static_cast<float>(value * (1 + change(random)));
    const Shape shape = p->shape();
    p->SetData(Array<float>(values, IntList(shape), p->Data().device()));
  }
}

// The largest |a[i] - b[i]|; infinity where one is not finite and the other is not the same.
inline double LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(a[i] == b[i]))
      largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
  }
  return largest;
}

}  // namespace tandem

#endif  // TANDEM_TESTS_E2E_VULKAN_FIXTURE_H_
