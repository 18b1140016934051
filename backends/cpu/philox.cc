#include "tandem/backends/cpu/philox.h"

#include "tandem/backends/cpu/vector_math.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

// One in [0, 1) with 24 bits, exact in every floating-point type from f32 on.
template <typename T>
TANDEM_INLINE T UnitOf(uint32_t word) {
  return static_cast<T>(static_cast<int32_t>(word >> 8)) * T(0x1p-24);
}

TANDEM_INLINE float SquareRoot(float x) { return __builtin_sqrtf(x); }
TANDEM_INLINE double SquareRoot(double x) { return __builtin_sqrt(x); }

template <typename T>
TANDEM_INLINE void UniformOf(const uint32_t* words, int64_t n, T low, T range, T* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = low + UnitOf<T>(words[i]) * range;
}

template <typename T>
TANDEM_INLINE void NormalOf(const uint32_t* words, int64_t blocks, T mean, T stddev, T* out) {
  constexpr T kTwoPi = T(6.283185307179586);
  for (int64_t i = 0; i < 2 * blocks; ++i) {
    // 1 - u is exact and never 0.
    const T radius = SquareRoot(T(-2) * Log(T(1) - UnitOf<T>(words[2 * i])));
    const T angle = kTwoPi * UnitOf<T>(words[2 * i + 1]);
    out[2 * i] = mean + stddev * (radius * SinSmall(angle, 1));
    out[2 * i + 1] = mean + stddev * (radius * SinSmall(angle, 0));
  }
}

template <typename T>
TANDEM_INLINE void DropoutOf(const uint32_t* words, const T* x, int64_t n, uint32_t threshold,
                             T scale, T* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const T kept = x[i] * scale;
    out[i] = (words[i] >> 8) < threshold ? kept : T(0);
  }
}

}  // namespace

void Philox(uint64_t seed, uint64_t first, uint64_t high, int64_t blocks, uint32_t* words) {
  for (int64_t i = 0; i < blocks; ++i) {
    const uint64_t counter = first + static_cast<uint64_t>(i);
    uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
    uint32_t c2 = static_cast<uint32_t>(high), c3 = static_cast<uint32_t>(high >> 32);
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53u} * c0;
      const uint64_t p1 = uint64_t{0xCD9E8D57u} * c2;
      c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c1 = static_cast<uint32_t>(p1);
      c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c3 = static_cast<uint32_t>(p0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    words[4 * i] = c0;
    words[4 * i + 1] = c1;
    words[4 * i + 2] = c2;
    words[4 * i + 3] = c3;
  }
}

void Uniform(const uint32_t* words, int64_t n, float low, float range, float* out) {
  UniformOf(words, n, low, range, out);
}
void Uniform(const uint32_t* words, int64_t n, double low, double range, double* out) {
  UniformOf(words, n, low, range, out);
}
void Normal(const uint32_t* words, int64_t blocks, float mean, float stddev, float* out) {
  NormalOf(words, blocks, mean, stddev, out);
}
void Normal(const uint32_t* words, int64_t blocks, double mean, double stddev, double* out) {
  NormalOf(words, blocks, mean, stddev, out);
}
void Dropout(const uint32_t* words, const float* x, int64_t n, uint32_t threshold, float scale,
             float* out) {
  DropoutOf(words, x, n, threshold, scale, out);
}
void Dropout(const uint32_t* words, const double* x, int64_t n, uint32_t threshold, double scale,
             double* out) {
  DropoutOf(words, x, n, threshold, scale, out);
}

}  // namespace tandem::cpu_backend::TANDEM_ISA
