#include "tandem/tests/build/probe_isa.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace tandem::probe {
namespace {

using Kernel = void (*)(float, const float*, float*, int);

void Check(Kernel kernel) {
  std::vector<float> x, y(37);
  for (int i = 0; i < 37; ++i) x.push_back(0.1f * (i - 18));
  kernel(0.5f, x.data(), y.data(), 37);
  for (int i = 0; i < 37; ++i) EXPECT_NEAR(y[i], std::tanh(x[i]) + 0.5f * x[i], 1e-6) << x[i];
}

TEST(ProbeIsaTest, Baseline) { Check(isa_baseline::TanhAxpy); }

#if defined(__x86_64__)
TEST(ProbeIsaTest, LevelsAreDistinct) {
  EXPECT_EQ(isa_avx2::VectorBytes(), 32);
  EXPECT_EQ(isa_avx512::VectorBytes(), 64);
}

TEST(ProbeIsaTest, Avx2) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    GTEST_SKIP() << "this CPU has no AVX2";
  }
  Check(isa_avx2::TanhAxpy);
}

TEST(ProbeIsaTest, Avx512) {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512cd")) {
    GTEST_SKIP() << "this CPU has no AVX-512";
  }
  Check(isa_avx512::TanhAxpy);
}
#endif

}  // namespace
}  // namespace tandem::probe
