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
// |x| as integer · 2^exponent, the integer (as a double) in [2^52, 2^53). x is finite and not 0.
double IntegerOf(double x, out int exponent) {
  const bool subnormal = (unpackDouble2x32(x).y & 0x7FF00000u) == 0u;
  precise double lifted = x * 18014398509481984.0lf;  // 2^54
  const uvec2 bits = unpackDouble2x32(subnormal ? lifted : x);
  exponent = int((bits.y >> 20) & 0x7FFu) - 1075 - (subnormal ? 54 : 0);
  return packDouble2x32(uvec2(bits.x, (bits.y & 0x000FFFFFu) | 0x43300000u));
}

double TwoToThe(int n) { return packDouble2x32(uvec2(0u, uint(n + 1023) << 20)); }

double Rem(double x, double y) {
  const uvec2 x_bits = unpackDouble2x32(x) & uvec2(~0u, 0x7FFFFFFFu);
  const uvec2 y_bits = unpackDouble2x32(y) & uvec2(~0u, 0x7FFFFFFFu);
  const bool y_is_nan = y_bits.y > 0x7FF00000u || (y_bits.y == 0x7FF00000u && y_bits.x != 0u);
  if (x_bits.y >= 0x7FF00000u || y_is_nan || y_bits == uvec2(0u)) {
    return packDouble2x32(uvec2(0u, 0x7FF80000u));
  }
  if (x_bits.y < y_bits.y || (x_bits.y == y_bits.y && x_bits.x < y_bits.x)) return x;
  int left, y_exponent;
  precise double rest = IntegerOf(x, left);
  precise double divisor = IntegerOf(y, y_exponent);
  left -= y_exponent;
  rest = rest >= divisor ? rest - divisor : rest;
  // Long division, 26 bits at a time. The divisor is split in parts of 26 and 27 bits, whose products
  // with a partial quotient are exact, and so are the differences: integers below 2^54, and
  // even where they are above 2^53.
  const uvec2 divisor_bits = unpackDouble2x32(divisor);
  precise double upper = packDouble2x32(uvec2(divisor_bits.x & 0xF8000000u, divisor_bits.y));
  precise double lower = divisor - upper;
  while (left > 0 && rest != 0.0lf) {
    const int bits = min(left, 26);
    precise double scaled = rest * TwoToThe(bits);
    precise double quotient = floor(scaled / divisor);  // within 1
    precise double difference = (scaled - quotient * upper) - quotient * lower;
    precise double raised = difference + divisor;
    difference = difference < 0.0lf ? raised : difference;
    precise double lowered = difference - divisor;
    rest = difference >= divisor ? lowered : difference;
    left -= bits;
  }
  // In two steps, for the power may be below the smallest number.
  const int half_exponent = y_exponent >> 1;
  precise double value = rest * TwoToThe(half_exponent) * TwoToThe(y_exponent - half_exponent);
  const uvec2 value_bits = unpackDouble2x32(value);
  const uint sign = unpackDouble2x32(x).y & 0x80000000u;
  return packDouble2x32(uvec2(value_bits.x, (value_bits.y & 0x7FFFFFFFu) | sign));
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
