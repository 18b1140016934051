// exp, expm1, log, log1p and tanh of f64, which GLSL lacks, within 4 ulp of the exact value.
//
// As math_f32.glsl: the algorithms of backends/cpu/vector_math.h, operation by operation. Bits are
// handled as two words (x low, y high), so the int64 feature is not needed.
#ifndef TANDEM_MATH_F64_GLSL_
#define TANDEM_MATH_F64_GLSL_

#include "backends/vulkan/shaders/classify.glsl"

double NanF64() { return packDouble2x32(uvec2(0u, 0x7FF80000u)); }
double InfinityF64() { return packDouble2x32(uvec2(0u, 0x7FF00000u)); }

// 2^n for a normal result.
double PowerOf2F64(int n) { return packDouble2x32(uvec2(0u, uint(n + 1023) << 20)); }

// x · 2^n, rounded once, also where 2^n or the result is subnormal or infinite.
double ScaleF64(double x, int n) {
  const int half_n = n >> 1;
  precise double y = x * PowerOf2F64(half_n) * PowerOf2F64(n - half_n);
  return y;
}

// 1.5 · 2^52: adding it rounds to an integer, which is then in the lowest bits.
const double kRoundF64 = 6755399441055744.0lf;

// (e^r - 1 - r) / r² for |r| <= ln(2)/2: Taylor's series.
double ExpTailF64(double r) {
  precise double p = 1.0lf / 6227020800.0lf;
  p = p * r + 1.0lf / 479001600.0lf;
  p = p * r + 1.0lf / 39916800.0lf;
  p = p * r + 1.0lf / 3628800.0lf;
  p = p * r + 1.0lf / 362880.0lf;
  p = p * r + 1.0lf / 40320.0lf;
  p = p * r + 1.0lf / 5040.0lf;
  p = p * r + 1.0lf / 720.0lf;
  p = p * r + 1.0lf / 120.0lf;
  p = p * r + 1.0lf / 24.0lf;
  p = p * r + 1.0lf / 6.0lf;
  p = p * r + 0.5lf;
  return p;
}

// x = n ln 2 + r.
double ReduceExpF64(double x, out int n) {
  precise double shifted = x * 1.4426950408889634lf + kRoundF64;
  precise double whole = shifted - kRoundF64;
  n = int(unpackDouble2x32(shifted).x);
  precise double r =
      (x - whole * 6.93147180369123816490e-01lf) - whole * 1.90821492927058770002e-10lf;
  return r;
}

double Exp(double x) {
  x = x > 710.0lf ? 710.0lf : x;  // NaN stays
  x = x < -746.0lf ? -746.0lf : x;
  int n;
  const double r = ReduceExpF64(x, n);
  precise double y = (ExpTailF64(r) * (r * r) + r) + 1.0lf;
  return ScaleF64(y, n);
}

double Expm1(double x) {
  double clamped = x > 710.0lf ? 710.0lf : x;
  clamped = clamped < -40.0lf ? -40.0lf : clamped;
  int n;
  const double r = ReduceExpF64(clamped, n);
  precise double p = ExpTailF64(r) * (r * r) + r;  // e^r - 1
  // 2^n (1 + p) - 1. For small n, 2^n - 1 is exact; for large n the 1 does not matter.
  const bool large = n > 54;
  const double power = PowerOf2F64(large ? 0 : n);
  precise double near = power * p + (power - 1.0lf);
  precise double one_more = 1.0lf + p;
  const double y = large ? ScaleF64(one_more, n) : near;
  return x == 0.0lf ? x : y;  // keeps -0
}

// (log(1+f) - log(1-f)) / f - 2 as a function of z = f².
double LogTailF64(double z) {
  precise double w = z * z;
  precise double even = w * (3.999999999940941908e-01lf +
                             w * (2.222219843214978396e-01lf + w * 1.531383769920937332e-01lf));
  precise double odd = z * (6.666666666666735130e-01lf +
                            w * (2.857142874366239149e-01lf +
                                 w * (1.818357216161805012e-01lf + w * 1.479819860510658591e-01lf)));
  precise double y = even + odd;
  return y;
}

// log(2^k (1 + f)), 1 + f in [sqrt(1/2), sqrt(2)].
double LogOfF64(double k, double f) {
  precise double s = f / (2.0lf + f);
  precise double half_square = 0.5lf * f * f;
  precise double s_square = s * s;
  precise double tail =
      s * (half_square + LogTailF64(s_square)) + k * 1.90821492927058770002e-10lf;
  precise double y = k * 6.93147180369123816490e-01lf - ((half_square - tail) - f);
  return y;
}

// a + b of 64 bits.
uvec2 AddWords(uvec2 a, uvec2 b) {
  uint carry;
  const uint low = uaddCarry(a.x, b.x, carry);
  return uvec2(low, a.y + b.y + carry);
}

// x = 2^k m, m in [sqrt(1/2), sqrt(2)), for a normal x > 0.
double ReduceLogF64(double x, out int k) {
  const uvec2 kSqrtHalf = uvec2(0x667F3BCDu, 0x3FE6A09Eu);
  // The bits of 1.0, less those of sqrt(1/2).
  const uvec2 bits = AddWords(unpackDouble2x32(x), uvec2(0x9980C433u, 0x00095F61u));
  k = (int(bits.y) >> 20) - 1023;
  return packDouble2x32(AddWords(uvec2(bits.x, bits.y & 0x000FFFFFu), kSqrtHalf));
}

double Log(double x) {
  const bool subnormal = x < 2.2250738585072014e-308lf;
  precise double lifted = x * 18014398509481984.0lf;  // 2^54
  int k;
  precise double f = ReduceLogF64(subnormal ? lifted : x, k) - 1.0lf;
  precise double exponent = double(k) - (subnormal ? 54.0lf : 0.0lf);
  double y = LogOfF64(exponent, f);
  y = x == InfinityF64() ? x : y;
  y = x == 0.0lf ? -InfinityF64() : y;
  return x < 0.0lf ? NanF64() : (IsNan(x) ? x : y);
}

double Log1p(double x) {
  precise double u = 1.0lf + x;
  int k;
  const double m = ReduceLogF64(u, k);
  // What rounding u lost. For large x it is below half an ulp of the result.
  precise double lost_far = 1.0lf - (u - x);
  precise double lost_near = x - (u - 1.0lf);
  double lost = u > 2.0lf ? lost_far : lost_near;
  lost = k > 60 ? 0.0lf : lost;
  precise double f = (m - 1.0lf) + lost * PowerOf2F64(-min(k, 60));
  double y = LogOfF64(double(k), f);
  y = x == InfinityF64() ? x : y;
  y = x == 0.0lf ? x : y;  // keeps -0
  y = x == -1.0lf ? -InfinityF64() : y;
  return x < -1.0lf ? NanF64() : (IsNan(x) ? x : y);
}

double Tanh(double x) {
  const double magnitude = abs(x);
  // Beyond 30 the result is 1; the clamp keeps the unused half of the other branch finite.
  const double clamped = magnitude > 30.0lf ? 30.0lf : magnitude;
  precise double far = 1.0lf - 2.0lf / (Exp(clamped + clamped) + 1.0lf);
  // tanh(x) / x - 1 for |x| < 0.625 as a rational function.
  precise double z = x * x;
  precise double p = -9.64399179425052238628e-1lf;
  p = p * z - 9.92877231001918586564e1lf;
  p = p * z - 1.61468768441708447952e3lf;
  precise double q = z + 1.12811678491632931402e2lf;
  q = q * z + 2.23548839060100448583e3lf;
  q = q * z + 4.84406305325125486048e3lf;
  precise double tail = z * (p / q);
  precise double near = x + x * tail;
  const uvec2 bits = unpackDouble2x32(magnitude < 0.625lf ? near : far);
  const uint sign = unpackDouble2x32(x).y & 0x80000000u;
  return IsNan(x) ? x : packDouble2x32(uvec2(bits.x, (bits.y & 0x7FFFFFFFu) | sign));
}

#endif  // TANDEM_MATH_F64_GLSL_
