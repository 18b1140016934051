// Conversions between how elements are stored and how they are computed with, as the CPU's
// (core/tensor/float16.h, core/op/scalar_expr.h): 16-bit floats round to nearest, ties to even; a
// float becomes an integer by truncation, saturates, and NaN gives 0. NaN becomes the canonical one.
//
// Bits of 16-bit types are the lower half of a word. Define TANDEM_USE_F64 and TANDEM_USE_I64 for
// the functions on those types.
#ifndef TANDEM_CONVERSIONS_GLSL_
#define TANDEM_CONVERSIONS_GLSL_

float HalfToFloat(uint h) {
  const uint sign = (h & 0x8000u) << 16;
  const uint magnitude = h & 0x7FFFu;
  const uint special = 0x7F800000u | (magnitude & 0x3FFu) << 13;
  precise float small = float(int(magnitude)) * 5.9604644775390625e-8;  // 2^-24
  uint bits = (magnitude << 13) + 0x38000000u;
  bits = magnitude < 0x0400u ? floatBitsToUint(small) : bits;
  bits = magnitude >= 0x7C00u ? special : bits;
  return uintBitsToFloat(sign | bits);
}

uint FloatToHalf(float value) {
  const uint f = floatBitsToUint(value);
  const uint sign = (f >> 16) & 0x8000u;
  const uint magnitude = f & 0x7FFFFFFFu;
  // Below 2^-14: adding 0.5 puts the ten bits at the end of the fraction, and rounds.
  precise float shifted = uintBitsToFloat(magnitude) + 0.5;
  const uint small = floatBitsToUint(shifted) - 0x3F000000u;
  uint bits = (magnitude + 0xC8000FFFu + ((magnitude >> 13) & 1u)) >> 13;
  bits = magnitude < 0x38800000u ? small : bits;
  bits = magnitude >= 0x477FF000u ? 0x7C00u : bits;
  return magnitude > 0x7F800000u ? 0x7E00u : sign | bits;
}

float BFloatToFloat(uint b) { return uintBitsToFloat(b << 16); }

uint FloatToBFloat(float value) {
  const uint f = floatBitsToUint(value);
  const uint rounded = (f + 0x7FFFu + ((f >> 16) & 1u)) >> 16;
  return (f & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0u : rounded;
}

int ToI32(float x) {
  // The largest number below 2^31; NaN is replaced.
  const float clamped = clamp(x, -2147483648.0, 2147483520.0);
  const bool nan = (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u;
  return nan ? 0 : x >= 2147483648.0 ? 0x7FFFFFFF : int(clamped);
}

#ifdef TANDEM_USE_F64
int ToI32(double x) {
  const uvec2 bits = unpackDouble2x32(x);
  const uint high = bits.y & 0x7FFFFFFFu;
  const bool nan = high > 0x7FF00000u || (high == 0x7FF00000u && bits.x != 0u);
  const double clamped = x >= -2147483648.0lf ? min(x, 2147483647.0lf) : -2147483648.0lf;
  return nan ? 0 : int(clamped);
}
#endif

#ifdef TANDEM_USE_I64
const int64_t kMaxI64 = 0x7FFFFFFFFFFFFFFFl;

int64_t ToI64(float x) {
  const bool nan = (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u;
  const float clamped = clamp(x, -9223372036854775808.0, 9223371487098961920.0);
  return nan ? 0l : x >= 9223372036854775808.0 ? kMaxI64 : int64_t(clamped);
}

#ifdef TANDEM_USE_F64
int64_t ToI64(double x) {
  const uvec2 bits = unpackDouble2x32(x);
  const uint high = bits.y & 0x7FFFFFFFu;
  const bool nan = high > 0x7FF00000u || (high == 0x7FF00000u && bits.x != 0u);
  const double above = x >= -9223372036854775808.0lf ? x : -9223372036854775808.0lf;
  return nan ? 0l
             : x >= 9223372036854775808.0lf ? kMaxI64
                                            : int64_t(min(above, 9223372036854774784.0lf));
}
#endif
#endif

#endif  // TANDEM_CONVERSIONS_GLSL_
