#include "tandem/benchmarks/peers/ideal_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

// One body for each instruction set, chosen when the program starts: before the thread sanitizer is
// ready for it, so that has the least one only.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define TANDEM_EACH_ISA __attribute__((target_clones("avx512f", "avx2,fma", "default")))
#else
#define TANDEM_EACH_ISA
#endif
#define TANDEM_INLINE inline __attribute__((always_inline))

namespace tandem::benchmarks::ideal {
namespace {

// Sixteen floats; two or four registers where they are shorter.
using Vector [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;
constexpr int64_t kLanes = 16;

TANDEM_INLINE const Vector& At(const float* p) { return *reinterpret_cast<const Vector*>(p); }

TANDEM_INLINE float SumLanes(const Vector& v) {
  float sum = 0;
  for (int64_t i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

// Cody and Waite: exp(x) = 2^n · exp(r), |r| <= ln(2) / 2, with the first terms of its series. Some
// 2 ulp, without infinities and NaN.
TANDEM_INLINE float Exp(float x) {
  constexpr float kMagic = 0x1.8p23f;  // added, it leaves the nearest integer in the low bits
  x = std::min(std::max(x, -87.0f), 88.0f);
  const float shifted = x * 0x1.715476p+0f + kMagic;
  const float n = shifted - kMagic;
  const float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) << 23;
  return std::bit_cast<float>(std::bit_cast<int32_t>(p) + exponent);
}

struct Cheap {
  static TANDEM_INLINE float Apply(float x) {
    const float a = std::abs(x * 1.5f + 0.25f) * 0.75f - 0.5f;
    const float b = (a > 0 ? a : 0) * 1.25f + 1.0f;
    return -(b * b);
  }
};

struct Mixed {
  static TANDEM_INLINE float Apply(float x) {
    const float tanh = 1.0f - 2.0f / (Exp(x) + 1.0f);  // of x / 2
    const float e = Exp(std::sqrt(tanh + 1.5f) * 2.0f) - 1.0f;
    const float sigmoid = 1.0f / (1.0f + Exp(-e));
    return -(sigmoid * sigmoid);
  }
};

template <typename Ops>
TANDEM_INLINE void Apply(const float* __restrict x, float* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = Ops::Apply(x[i]);
}

// Copies past the caches, so that what is overwritten is not read first.
TANDEM_INLINE void StreamOut(const float* from, float* to, int64_t n) {
  int64_t i = 0;
#ifdef __SSE2__
  for (; i + 4 <= n; i += 4) _mm_stream_ps(to + i, _mm_load_ps(from + i));
#endif
  for (; i < n; ++i) to[i] = from[i];
}

template <typename Ops>
TANDEM_INLINE void Chain(const float* x, float* y, int64_t n, bool stream) {
  if (!stream) return Apply<Ops>(x, y, n);
  constexpr int64_t kTile = 2048;  // in the first cache
  alignas(64) float tile[kTile];
  for (int64_t begin = 0; begin < n; begin += kTile) {
    const int64_t count = std::min(kTile, n - begin);
    Apply<Ops>(x + begin, tile, count);
    StreamOut(tile, y + begin, count);
  }
#ifdef __SSE2__
  _mm_sfence();
#endif
}

}  // namespace

TANDEM_EACH_ISA void GemvPanel(const float* packed, const float* x, const float* bias,
                               int64_t columns, bool relu, float* y) {
  // Two sums of each four: a sum waits for the one before it.
  Vector a0 = At(bias), a1 = At(bias + 16), a2 = At(bias + 32), a3 = At(bias + 48);
  Vector b0 = {}, b1 = {}, b2 = {}, b3 = {};
  for (int64_t k = 0; k + 2 <= columns; k += 2, packed += 2 * kPanel) {
    a0 += At(packed) * x[k];
    a1 += At(packed + 16) * x[k];
    a2 += At(packed + 32) * x[k];
    a3 += At(packed + 48) * x[k];
    b0 += At(packed + 64) * x[k + 1];
    b1 += At(packed + 80) * x[k + 1];
    b2 += At(packed + 96) * x[k + 1];
    b3 += At(packed + 112) * x[k + 1];
  }
  a0 += b0;
  a1 += b1;
  a2 += b2;
  a3 += b3;
  for (int64_t i = 0; i < kLanes; ++i) {
    y[i] = relu && a0[i] < 0 ? 0 : a0[i];
    y[i + 16] = relu && a1[i] < 0 ? 0 : a1[i];
    y[i + 32] = relu && a2[i] < 0 ? 0 : a2[i];
    y[i + 48] = relu && a3[i] < 0 ? 0 : a3[i];
  }
}

TANDEM_EACH_ISA void GemvRows(const float* rows, const float* x, const float* bias, int64_t columns,
                              bool relu, float* y) {
  Vector a = {}, b = {}, c = {}, d = {};
  for (int64_t k = 0; k < columns; k += kLanes) {
    const Vector& v = At(x + k);
    a += At(rows + k) * v;
    b += At(rows + columns + k) * v;
    c += At(rows + 2 * columns + k) * v;
    d += At(rows + 3 * columns + k) * v;
  }
  const float sums[] = {SumLanes(a), SumLanes(b), SumLanes(c), SumLanes(d)};
  for (int64_t i = 0; i < 4; ++i) {
    y[i] = sums[i] + bias[i];
    if (relu && y[i] < 0) y[i] = 0;
  }
}

TANDEM_EACH_ISA float Dot(const float* row, const float* x, int64_t columns) {
  Vector sum = {};
  for (int64_t k = 0; k < columns; k += kLanes) sum += At(row + k) * At(x + k);
  return SumLanes(sum);
}

TANDEM_EACH_ISA void CheapOps(const float* x, float* y, int64_t n, bool stream) {
  Chain<Cheap>(x, y, n, stream);
}

TANDEM_EACH_ISA void MixedOps(const float* x, float* y, int64_t n, bool stream) {
  Chain<Mixed>(x, y, n, stream);
}

}  // namespace tandem::benchmarks::ideal
