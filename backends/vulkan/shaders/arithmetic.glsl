// Arithmetic that GLSL leaves undefined or inexact, as core/op/scalar_expr.h wants it: x / 0 and
// x % 0 of integers are 0 and nothing overflows; the remainder of floats is C's fmod, exact.
//
// Define TANDEM_USE_F64 and TANDEM_USE_I64 for the functions on those types.
#ifndef TANDEM_ARITHMETIC_GLSL_
#define TANDEM_ARITHMETIC_GLSL_

int Div(int a, int b) { return b == 0 ? 0 : b == -1 ? -a : a / b; }

// From the magnitudes: GLSL's % is not defined for negative numbers.
int Rem(int a, int b) {
  const uint divisor = uint(b < 0 ? -b : b);
  const uint rest = uint(a < 0 ? -a : a) % (divisor == 0u ? 1u : divisor);
  return a < 0 ? -int(rest) : int(rest);
}

float Rem(float x, float y) {
  const uint x_bits = floatBitsToUint(x) & 0x7FFFFFFFu;
  const uint y_bits = floatBitsToUint(y) & 0x7FFFFFFFu;
  if (x_bits >= 0x7F800000u || y_bits > 0x7F800000u || y_bits == 0u) {
    return uintBitsToFloat(0x7FC00000u);
  }
  if (x_bits < y_bits) return x;
  // |x| and |y| as integers times powers of 2; the same power for all subnormal numbers.
  const int x_exponent = max(int(x_bits >> 23), 1), y_exponent = max(int(y_bits >> 23), 1);
  uint rest = x_bits >= 0x00800000u ? (x_bits & 0x007FFFFFu) | 0x00800000u : x_bits;
  const uint divisor = y_bits >= 0x00800000u ? (y_bits & 0x007FFFFFu) | 0x00800000u : y_bits;
  // Long division, eight bits at a time.
  int left = x_exponent - y_exponent;
  rest %= divisor;
  while (left > 0 && rest != 0u) {
    const int step = min(left, 8);
    rest = (rest << step) % divisor;
    left -= step;
  }
  // rest · 2^(y_exponent - 150), normalized by hand: the result may be subnormal.
  uint bits = rest;
  if (rest != 0u) {
    const int shift = min(23 - findMSB(rest), y_exponent - 1);
    bits = rest << shift;
    if (bits >= 0x00800000u) bits = (bits & 0x007FFFFFu) | uint(y_exponent - shift) << 23;
  }
  return uintBitsToFloat(bits | (floatBitsToUint(x) & 0x80000000u));
}

#ifdef TANDEM_USE_F64
// a < b, a - b of 64 bits as words, x the lower.
bool LessWords(uvec2 a, uvec2 b) { return a.y < b.y || (a.y == b.y && a.x < b.x); }
uvec2 SubtractWords(uvec2 a, uvec2 b) {
  uint borrow;
  const uint low = usubBorrow(a.x, b.x, borrow);
  return uvec2(low, a.y - b.y - borrow);
}
uvec2 DoubleWords(uvec2 a) { return uvec2(a.x << 1, a.y << 1 | a.x >> 31); }

double Rem(double x, double y) {
  const uvec2 x_words = unpackDouble2x32(x), y_words = unpackDouble2x32(y);
  const uvec2 x_bits = uvec2(x_words.x, x_words.y & 0x7FFFFFFFu);
  const uvec2 y_bits = uvec2(y_words.x, y_words.y & 0x7FFFFFFFu);
  const uvec2 kInfinity = uvec2(0u, 0x7FF00000u);
  if (!LessWords(x_bits, kInfinity) || LessWords(kInfinity, y_bits) || y_bits == uvec2(0u)) {
    return packDouble2x32(uvec2(0u, 0x7FF80000u));
  }
  if (LessWords(x_bits, y_bits)) return x;
  const int x_exponent = max(int(x_bits.y >> 20), 1), y_exponent = max(int(y_bits.y >> 20), 1);
  const uint kOne = 0x00100000u, kFraction = 0x000FFFFFu;
  uvec2 rest = x_bits, divisor = y_bits;
  if (x_bits.y >= kOne) rest.y = (rest.y & kFraction) | kOne;
  if (y_bits.y >= kOne) divisor.y = (divisor.y & kFraction) | kOne;
  // Long division, bit by bit. A normal x is below twice a normal y here; a subnormal divisor may be
  // smaller by any power, so its first steps take it up to the dividend.
  int left = x_exponent - y_exponent;
  int raised = 0;
  while (!LessWords(rest, DoubleWords(divisor))) {
    divisor = DoubleWords(divisor);
    ++raised;
  }
  for (; raised > 0; --raised) {
    if (!LessWords(rest, divisor)) rest = SubtractWords(rest, divisor);
    divisor = uvec2(divisor.x >> 1 | divisor.y << 31, divisor.y >> 1);
  }
  if (!LessWords(rest, divisor)) rest = SubtractWords(rest, divisor);
  for (; left > 0 && rest != uvec2(0u); --left) {
    rest = DoubleWords(rest);
    if (!LessWords(rest, divisor)) rest = SubtractWords(rest, divisor);
  }
  // rest · 2^(y_exponent - 1075), normalized by hand: the result may be subnormal.
  if (rest != uvec2(0u)) {
    int exponent = y_exponent;
    for (; rest.y < kOne && exponent > 1; --exponent) rest = DoubleWords(rest);
    if (rest.y >= kOne) rest.y = (rest.y & kFraction) | uint(exponent) << 20;
  }
  return packDouble2x32(uvec2(rest.x, rest.y | (x_words.y & 0x80000000u)));
}
#endif

#ifdef TANDEM_USE_I64
int64_t Div(int64_t a, int64_t b) { return b == 0l ? 0l : b == -1l ? -a : a / b; }
int64_t Rem(int64_t a, int64_t b) {
  const uint64_t divisor = uint64_t(b < 0l ? -b : b);
  const uint64_t rest = uint64_t(a < 0l ? -a : a) % (divisor == 0ul ? 1ul : divisor);
  return a < 0l ? -int64_t(rest) : int64_t(rest);
}
#endif

#endif  // TANDEM_ARITHMETIC_GLSL_
