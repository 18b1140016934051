// sin and cos of f32 within 4 ulp for every argument, without f64: for devices that lack it (where
// it is there, trig_f64.glsl gives the CPU's bits).
//
// Angles beyond pi/4 are reduced in integers, with as many bits of 2/pi as matter: M. Payne and
// R. Hanek, "Radian reduction for trigonometric functions" (SIGNUM Newsletter 18, 1983).
#ifndef TANDEM_TRIG_F32_GLSL_
#define TANDEM_TRIG_F32_GLSL_

#include "backends/vulkan/shaders/two_over_pi.glsl"

// n of x = n · pi/2 + r + tail, |r| <= pi/4, for finite x with pi/4 < x.
int ReduceAngleF32(float x, out float r, out float tail) {
  const uint bits = floatBitsToUint(x);
  const uint mantissa = (bits & 0x007FFFFFu) | 0x00800000u;
  // x = mantissa 2^exponent. Bits of 2/pi that give multiples of 4 do not matter; the product of the
  // mantissa with the 96 bits after them, modulo 2^96, is the angle in quadrants times 2^94.
  const int first = int(bits >> 23) - 150 - 2;
  uint window[6];
  TwoOverPiNear(first, window);
  uint high, low, carry0, carry1;
  umulExtended(window[2], mantissa, high, low);
  const uint p0 = low;
  const uint from0 = high;
  umulExtended(window[1], mantissa, high, low);
  const uint p1 = uaddCarry(low, from0, carry0);
  const uint p2 = window[0] * mantissa + high + carry0;
  const int n = int((p2 + 0x20000000u) >> 30);
  // The rest is a fraction in [-1/2, 1/2) of a quadrant, in 64 bits.
  uint f1 = p2 << 2 | p1 >> 30, f0 = p1 << 2 | p0 >> 30;
  const bool negative = int(f1) < 0;
  if (negative) {
    f0 = uaddCarry(~f0, 1u, carry1);
    f1 = ~f1 + carry1;
  }
  int zeros = 0;
  if (f1 == 0u) {
    f1 = f0;
    f0 = 0u;
    zeros = 32;
  }
  const int shift = f1 == 0u ? 31 : 31 - findMSB(f1);
  zeros += shift;
  if (shift != 0) f1 = f1 << shift | f0 >> (32 - shift);
  // Times pi/2, which is 0xC90FDAA2 · 2^-31: 32 bits, of which r takes 24 and the tail 8.
  umulExtended(f1, 0xC90FDAA2u, high, low);
  const float unit = intBitsToFloat((127 - 31 - zeros) << 23);
  r = float(high >> 8) * (256.0 * unit);
  tail = float(high & 255u) * unit;
  if (negative) {
    r = -r;
    tail = -tail;
  }
  return n;
}

// sin(x + quadrants · pi/2).
float SinAny(float x, int quadrants) {
  if ((floatBitsToUint(x) & 0x7F800000u) == 0x7F800000u) return uintBitsToFloat(0x7FC00000u);
  const float magnitude = abs(x);
  float r = magnitude, tail = 0.0;
  int n = 0;
  if (magnitude > 0.78539816) n = ReduceAngleF32(magnitude, r, tail);
  if (x < 0.0) {
    n = -n;
    r = -r;
    tail = -tail;
  }
  n += quadrants;
  precise float z = r * r;
  precise float p = -1.9515295891e-4;
  p = p * z + 8.3321608736e-3;
  p = p * z - 1.6666654611e-1;
  precise float s = r + (z * r * p + tail);
  precise float q = 2.443315711809948e-5;
  q = q * z - 1.388731625493765e-3;
  q = q * z + 4.166664568298827e-2;
  precise float half_z = 0.5 * z;
  precise float w = 1.0 - half_z;
  precise float c = w + (((1.0 - w) - half_z) + (z * z * q - r * tail));
  const float y = (n & 1) != 0 ? c : s;
  if (x == 0.0 && quadrants == 0) return x;  // keeps -0
  return (n & 2) != 0 ? -y : y;
}

float Sin(float x) { return SinAny(x, 0); }
float Cos(float x) { return SinAny(x, 1); }

#endif  // TANDEM_TRIG_F32_GLSL_
