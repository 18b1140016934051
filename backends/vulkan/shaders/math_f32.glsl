// exp, expm1, log, log1p and tanh of f32, within 4 ulp of the exact value for every argument.
//
// The algorithms and constants are those of backends/cpu/vector_math.h, operation by operation and
// each of them `precise`: a driver that rounds +, -, * and / correctly gives the CPU's bits. (GLSL's
// own functions may be wrong by 3 + 2|x| ulp, and differ between drivers.) Methods: arguments are
// reduced after Cody and Waite, "Software Manual for the Elementary Functions" (1980).
#ifndef TANDEM_MATH_F32_GLSL_
#define TANDEM_MATH_F32_GLSL_

#include "backends/vulkan/shaders/classify.glsl"

float NanF32() { return uintBitsToFloat(0x7FC00000u); }
float InfinityF32() { return uintBitsToFloat(0x7F800000u); }

// 2^n for a normal result.
float PowerOf2F32(int n) { return intBitsToFloat((n + 127) << 23); }

// x · 2^n, rounded once, also where 2^n or the result is subnormal or infinite.
float ScaleF32(float x, int n) {
  const int half_n = n >> 1;
  precise float y = x * PowerOf2F32(half_n) * PowerOf2F32(n - half_n);
  return y;
}

// (e^r - 1 - r) / r² for |r| <= ln(2)/2.
float ExpTailF32(float r) {
  precise float p = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  return p;
}

// x = n ln 2 + r. Adding 1.5 · 2^23 rounds to an integer, which is then in the lowest bits. ln 2 is in
// two parts, of which the first times a number of 9 bits is exact.
float ReduceExpF32(float x, out int n) {
  precise float shifted = x * 1.4426950408889634 + 12582912.0;
  precise float whole = shifted - 12582912.0;
  n = floatBitsToInt(shifted) - 0x4B400000;
  precise float r = (x - whole * 0.693359375) - whole * -2.12194440e-4;
  return r;
}

float Exp(float x) {
  x = x > 89.0 ? 89.0 : x;  // NaN stays
  x = x < -105.0 ? -105.0 : x;
  int n;
  const float r = ReduceExpF32(x, n);
  precise float y = (ExpTailF32(r) * (r * r) + r) + 1.0;
  return ScaleF32(y, n);
}

float Expm1(float x) {
  float clamped = x > 89.0 ? 89.0 : x;
  clamped = clamped < -20.0 ? -20.0 : clamped;
  int n;
  const float r = ReduceExpF32(clamped, n);
  precise float p = ExpTailF32(r) * (r * r) + r;  // e^r - 1
  // 2^n (1 + p) - 1. For small n, 2^n - 1 is exact; for large n the 1 does not matter.
  const bool large = n > 25;
  const float power = PowerOf2F32(large ? 0 : n);
  precise float near = power * p + (power - 1.0);
  precise float one_more = 1.0 + p;
  const float y = large ? ScaleF32(one_more, n) : near;
  return x == 0.0 ? x : y;  // keeps -0
}

// (log(1+f) - log(1-f)) / f - 2 as a function of z = f².
float LogTailF32(float z) {
  precise float w = z * z;
  precise float y = w * (0.40000972152 + w * 0.24279078841) + z * (0.66666662693 + w * 0.28498786688);
  return y;
}

// log(2^k (1 + f)), 1 + f in [sqrt(1/2), sqrt(2)].
float LogOfF32(float k, float f) {
  precise float s = f / (2.0 + f);
  precise float half_square = 0.5 * f * f;
  precise float s_square = s * s;
  precise float tail = s * (half_square + LogTailF32(s_square)) + k * 9.0580006145e-06;
  precise float y = k * 6.9313812256e-01 - ((half_square - tail) - f);
  return y;
}

// x = 2^k m, m in [sqrt(1/2), sqrt(2)), for a normal x > 0.
float ReduceLogF32(float x, out int k) {
  const uint bits = floatBitsToUint(x) + (0x3F800000u - 0x3F3504F3u);
  k = (int(bits) >> 23) - 127;
  return uintBitsToFloat((bits & 0x007FFFFFu) + 0x3F3504F3u);
}

float Log(float x) {
  const bool subnormal = x < 1.17549435e-38;
  precise float lifted = x * 33554432.0;  // 2^25
  int k;
  precise float f = ReduceLogF32(subnormal ? lifted : x, k) - 1.0;
  precise float exponent = float(k) - (subnormal ? 25.0 : 0.0);
  float y = LogOfF32(exponent, f);
  y = x == InfinityF32() ? x : y;
  y = x == 0.0 ? -InfinityF32() : y;
  return x < 0.0 ? NanF32() : (IsNan(x) ? x : y);
}

float Log1p(float x) {
  precise float u = 1.0 + x;
  int k;
  const float m = ReduceLogF32(u, k);
  // What rounding u lost. For large x it is below half an ulp of the result.
  precise float lost_far = 1.0 - (u - x);
  precise float lost_near = x - (u - 1.0);
  float lost = u > 2.0 ? lost_far : lost_near;
  lost = k > 60 ? 0.0 : lost;
  precise float f = (m - 1.0) + lost * PowerOf2F32(-min(k, 60));
  float y = LogOfF32(float(k), f);
  y = x == InfinityF32() ? x : y;
  y = x == 0.0 ? x : y;  // keeps -0
  y = x == -1.0 ? -InfinityF32() : y;
  return x < -1.0 ? NanF32() : (IsNan(x) ? x : y);
}

float Tanh(float x) {
  const float magnitude = abs(x);
  // Beyond 30 the result is 1; the clamp keeps the unused half of the other branch finite.
  const float clamped = magnitude > 30.0 ? 30.0 : magnitude;
  precise float far = 1.0 - 2.0 / (Exp(clamped + clamped) + 1.0);
  // tanh(x) / x - 1 for |x| < 0.625.
  precise float z = x * x;
  precise float p = -5.70498872745e-3;
  p = p * z + 2.06390887954e-2;
  p = p * z - 5.37397155531e-2;
  p = p * z + 1.33314422036e-1;
  p = p * z - 3.33332819422e-1;
  p = p * z;
  precise float near = x + x * p;
  const uint bits = floatBitsToUint(magnitude < 0.625 ? near : far) & 0x7FFFFFFFu;
  return IsNan(x) ? x : uintBitsToFloat(bits | (floatBitsToUint(x) & 0x80000000u));
}

#endif  // TANDEM_MATH_F32_GLSL_
