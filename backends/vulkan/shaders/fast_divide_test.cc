#include "tandem/backends/vulkan/shaders/fast_divide.h"

#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

constexpr uint32_t kMost = (uint32_t{1} << 31) - 1;

// The quotient changes at multiples of the divisor, so it is right everywhere if it is there and
// just before.
void CheckAround(uint32_t divisor, uint64_t quotient) {
  const FastDivisor d(divisor);
  for (int64_t delta : {-1, 0, 1}) {
    const int64_t n = static_cast<int64_t>(quotient * divisor) + delta;
    if (n < 0 || n > kMost) continue;
    ASSERT_EQ(d.Divide(static_cast<uint32_t>(n)), n / divisor) << n << " / " << divisor;
  }
}

TEST(FastDivisorTest, EqualsDivision) {
  std::vector<uint32_t> divisors;
  for (uint32_t d = 1; d <= 1000; ++d) divisors.push_back(d);
  for (int bit = 10; bit < 31; ++bit) {
    for (int delta : {-1, 0, 1}) divisors.push_back((uint32_t{1} << bit) + delta);
  }
  divisors.push_back(kMost);
  divisors.push_back(kMost - 1);
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) divisors.push_back(random() % kMost + 1);
  for (uint32_t d : divisors) {
    for (uint64_t quotient = 0; quotient < 40; ++quotient) CheckAround(d, quotient);
    for (uint64_t back = 0; back < 3; ++back) CheckAround(d, kMost / d - back);
    for (int i = 0; i < 20; ++i) CheckAround(d, random() % (kMost / d + 1));
  }
}

TEST(FastDivisorTest, TakesZeroAsOne) { EXPECT_EQ(FastDivisor(0).Divide(7), 7u); }

}  // namespace
}  // namespace tandem::vulkan_backend
