// exp of vectors (vector.h). Include it only from sources of an isa_library.
//
//   Vec<float> e = Exp<float>(Load(p));  // within 2 ulp
#ifndef TANDEM_BACKENDS_CPU_KERNELS_VECTOR_EXP_H_
#define TANDEM_BACKENDS_CPU_KERNELS_VECTOR_EXP_H_

#include <cstdint>
#include <type_traits>

#include "tandem/backends/cpu/kernels/vector.h"

namespace tandem::cpu_backend::TANDEM_ISA {

// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, and e^r by its series to r^7.
TANDEM_INLINE Vec<float> ExpFloat(Vec<float> x) {
  using V = Vec<float>;
  using I = Vec<int32_t>;
  // Beyond these the result is 0 or infinite. A NaN compares false and stays.
  const V low = Splat(-104.0f);
  const V high = Splat(89.0f);
  x = x < low ? low : x;
  x = x > high ? high : x;
  // Adding 1.5 * 2^23 leaves the rounded quotient in the low bits.
  const V magic = Splat(12582912.0f);
  const V shifted = x * 1.44269504f + magic;
  const I n = (I)shifted - (I)magic;
  const V quotient = shifted - magic;
  const V r = (x - quotient * 0.693359375f) - quotient * -2.12194440e-4f;
  V p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;
  // 2^n in two factors: n reaches beyond the range of the exponent.
  const I half = n >> 1;
  const V a = (V)((half + 127) << 23);
  const V b = (V)((n - half + 127) << 23);
  const V result = p * a * b;
  return x != x ? x : result;
}

template <typename T>
TANDEM_INLINE Vec<T> Exp(Vec<T> x) {
  if constexpr (std::is_same_v<T, float>) {
    return ExpFloat(x);
  } else {
    alignas(kVectorBytes) T lanes[kLanes<T>];
    Store(lanes, x);
    for (T& lane : lanes) lane = __builtin_exp(lane);
    return Load(lanes);
  }
}

}  // namespace tandem::cpu_backend::TANDEM_ISA

#endif  // TANDEM_BACKENDS_CPU_KERNELS_VECTOR_EXP_H_
