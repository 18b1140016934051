// sin and cos in f64, of f64 and f32 arguments, within 4 ulp for every argument.
//
// The algorithms of backends/cpu/vector_math.h and large_angle.h, operation by operation; 64-bit
// integers are two words (x low, y high), so the int64 feature is not needed. Small arguments are
// reduced with pi/2 in three parts (Cody and Waite), large ones after M. Payne and R. Hanek, "Radian
// reduction for trigonometric functions" (SIGNUM Newsletter 18, 1983).
#ifndef TANDEM_TRIG_F64_GLSL_
#define TANDEM_TRIG_F64_GLSL_

#include "backends/vulkan/shaders/two_over_pi.glsl"

// An angle as n · pi/2 + r + tail, |r| <= pi/4; n modulo 4.
struct ReducedAngle {
  int n;
  double r;
  double tail;
};

// For finite |x| >= 2^20. `near`: |x| is below 2^128, for which fewer bits of 2/pi are looked at.
ReducedAngle ReduceLargeAngle(double x, bool near) {
  const uvec2 bits = unpackDouble2x32(x);
  const uint mantissa_high = (bits.y & 0x000FFFFFu) | 0x00100000u;
  const int exponent = int((bits.y >> 20) & 0x7FFu) - 1075;  // |x| = mantissa 2^exponent
  // Bits of 2/pi that give multiples of 4 do not matter. The product of the mantissa with the 192
  // bits after them, modulo 2^192, is the angle in quadrants, 2^190 of it being one. Words from the
  // lowest up.
  uint window[6];  // highest first
  if (near) {
    TwoOverPiNear(exponent - 2, window);
  } else {
    TwoOverPiFar(exponent - 2, window);
  }
  uint product[6];
  uint carry = 0u;
  [[unroll]] for (int i = 0; i < 6; ++i) {
    uint high, low, c;
    umulExtended(window[5 - i], bits.x, high, low);
    product[i] = uaddCarry(low, carry, c);
    carry = high + c;
  }
  carry = 0u;
  [[unroll]] for (int i = 1; i < 6; ++i) {
    uint high, low, c0, c1;
    umulExtended(window[6 - i], mantissa_high, high, low);
    product[i] = uaddCarry(product[i], low, c0);
    product[i] = uaddCarry(product[i], carry, c1);
    carry = high + c0 + c1;
  }
  // To the nearest quadrant; the rest is a fraction in [-1/2, 1/2), here its highest 128 bits.
  int n = int((product[5] + 0x20000000u) >> 30);
  uint f[4];  // lowest first
  [[unroll]] for (int i = 0; i < 4; ++i) f[i] = product[i + 2] << 2 | product[i + 1] >> 30;
  const bool negative = int(f[3]) < 0;
  if (negative) {
    uint plus = 1u;
    [[unroll]] for (int i = 0; i < 4; ++i) f[i] = uaddCarry(~f[i], plus, plus);
  }
  // Normalized, so that close to a multiple of pi/2 no bits are lost: doubles come as near as 2^-62.
  int zeros = 0;
  [[unroll]] for (int i = 0; i < 3; ++i) {
    const bool empty = f[3] == 0u;
    f[3] = empty ? f[2] : f[3];
    f[2] = empty ? f[1] : f[2];
    f[1] = empty ? f[0] : f[1];
    f[0] = empty ? 0u : f[0];
    zeros += empty ? 32 : 0;
  }
  const int shift = f[3] == 0u ? 31 : 31 - findMSB(f[3]);
  zeros += shift;
  [[unroll]] for (int i = 3; i > 0; --i) f[i] = f[i] << shift | (f[i - 1] >> 1) >> (31 - shift);
  f[0] <<= shift;
  // The fraction as a sum of two doubles of 53 bits, times pi/2 as a sum of two.
  const double unit = packDouble2x32(uvec2(0u, uint(1023 - 53 - zeros) << 20));
  const uint top_high = f[3] >> 11, top_low = f[3] << 21 | f[2] >> 11;
  const uint rest_high = (f[2] & 0x7FFu) << 10 | f[1] >> 22, rest_low = f[1] << 10 | f[0] >> 22;
  precise double high = (double(top_high) * 4294967296.0lf + double(top_low)) * unit;
  precise double low_part = (double(rest_high) * 4294967296.0lf + double(rest_low)) *
                            (unit * 1.1102230246251565e-16lf);  // 2^-53
  const double kHalfPi = 1.5707963267948966lf, kHalfPiLow = 6.123233995736766e-17lf;
  precise double r = high * kHalfPi;
  // What rounding r lost, exactly (Dekker's product; 134217729 is 2^27 + 1).
  precise double a = high * 134217729.0lf;
  precise double a_high = a - (a - high);
  precise double a_low = high - a_high;
  precise double b = kHalfPi * 134217729.0lf;
  precise double b_high = b - (b - kHalfPi);
  precise double b_low = kHalfPi - b_high;
  precise double error =
      a_low * b_low - (((r - a_high * b_high) - a_low * b_high) - a_high * b_low);
  precise double tail = error + (high * kHalfPiLow + low_part * kHalfPi);
  precise double sum = r + tail;
  tail = (r - sum) + tail;
  const bool flip = negative != ((bits.y >> 31) != 0u);
  if ((bits.y >> 31) != 0u) n = -n;
  return ReducedAngle(n & 3, flip ? -sum : sum, flip ? -tail : tail);
}

// sin(x + quadrants · pi/2) from x = n · pi/2 + r + tail, with n + quadrants given.
double SinOfReduced(int n, double r, double tail) {
  precise double z = r * r;
  precise double v = z * r;
  precise double p =
      8.33333333332248946124e-03lf +
      z * (-1.98412698298579493134e-04lf +
           z * (2.75573137070700676789e-06lf +
                z * (-2.50507602534068634195e-08lf + z * 1.58969099521155010221e-10lf)));
  precise double s =
      r - ((z * (0.5lf * tail - v * p) - tail) - v * -1.66666666666666324348e-01lf);
  precise double q =
      z * (4.16666666666666019037e-02lf +
           z * (-1.38888888888741095749e-03lf +
                z * (2.48015872894767294178e-05lf +
                     z * (-2.75573143513906633035e-07lf +
                          z * (2.08757232129817482790e-09lf + z * -1.13596475577881948265e-11lf)))));
  precise double half_z = 0.5lf * z;
  precise double w = 1.0lf - half_z;
  precise double c = w + (((1.0lf - w) - half_z) + (z * q - r * tail));
  const double y = (n & 1) != 0 ? c : s;
  return (n & 2) != 0 ? -y : y;
}

// Adding 1.5 · 2^52 rounds to an integer, which is then in the lowest bits.
const double kRoundTrig = 6755399441055744.0lf;
const double kTwoOverPiF64 = 0.6366197723675814lf;

// sin(x + quadrants · pi/2) for |x| <= 2^26, of an f32: two parts of pi/2 leave nothing to correct.
float SinSmallF32(float argument, int quadrants) {
  precise double x = double(argument);
  precise double shifted = x * kTwoOverPiF64 + kRoundTrig;
  precise double n = shifted - kRoundTrig;
  // n has 26 bits, the first two parts of pi/2 have 25: the products are exact.
  precise double r = ((x - n * 1.570796310901641845703125lf) -
                      n * 1.5893254712295857e-08lf) - n * 6.123233995736766e-17lf;
  const float y = float(SinOfReduced(int(unpackDouble2x32(shifted).x) + quadrants, r, 0.0lf));
  return argument == 0.0 && quadrants == 0 ? argument : y;  // keeps -0
}

float SinAny(float x, int quadrants) {
  const float magnitude = abs(x);
  if (magnitude <= 67108864.0) return SinSmallF32(x, quadrants);
  if ((floatBitsToUint(x) & 0x7F800000u) == 0x7F800000u) return uintBitsToFloat(0x7FC00000u);
  const ReducedAngle reduced = ReduceLargeAngle(double(x), true);
  return float(SinOfReduced(reduced.n + quadrants, reduced.r, reduced.tail));
}

// sin(x + quadrants · pi/2) for |x| <= 2^20.
double SinSmallF64(double x, int quadrants) {
  precise double shifted = x * kTwoOverPiF64 + kRoundTrig;
  precise double n = shifted - kRoundTrig;
  // n has 20 bits, the first two parts 33. So x - n P1 is exact, and the rounding error of the next
  // difference can be had exactly (Knuth's TwoSum).
  precise double first = x - n * 1.5707963267341256lf;
  precise double second = n * -6.077100506303966e-11lf;
  precise double sum = first + second;
  precise double back = sum - first;
  precise double error = (first - (sum - back)) + (second - back);
  precise double third = n * 2.0222662487959506e-21lf;
  precise double r = sum - third;
  precise double tail = ((sum - r) - third) + error;
  const double y = SinOfReduced(int(unpackDouble2x32(shifted).x) + quadrants, r, tail);
  return x == 0.0lf && quadrants == 0 ? x : y;
}

double SinAny(double x, int quadrants) {
  const double magnitude = abs(x);
  if (magnitude <= 1048576.0lf) return SinSmallF64(x, quadrants);
  if ((unpackDouble2x32(x).y & 0x7FF00000u) == 0x7FF00000u) {
    return packDouble2x32(uvec2(0u, 0x7FF80000u));  // infinite or NaN
  }
  const ReducedAngle reduced = ReduceLargeAngle(x, false);
  return SinOfReduced(reduced.n + quadrants, reduced.r, reduced.tail);
}

float Sin(float x) { return SinAny(x, 0); }
float Cos(float x) { return SinAny(x, 1); }
double Sin(double x) { return SinAny(x, 0); }
double Cos(double x) { return SinAny(x, 1); }

#endif  // TANDEM_TRIG_F64_GLSL_
