// Integers of 64 bits as pairs of words (x is the lower), for devices without 64-bit integers.
//
//   uvec2 sum = Add64(sum, Widen(x[i]));
//
// Two's complement; results wrap.
#ifndef TANDEM_WIDE_INTEGER_GLSL
#define TANDEM_WIDE_INTEGER_GLSL

uvec2 Widen(int value) { return uvec2(uint(value), uint(value >> 31)); }
uvec2 Widen(uvec2 value) { return value; }

uvec2 Add64(uvec2 a, uvec2 b) {
  uint carry;
  const uint low = uaddCarry(a.x, b.x, carry);
  return uvec2(low, a.y + b.y + carry);
}

uvec2 Multiply64(uvec2 a, uvec2 b) {
  uint high, low;
  umulExtended(a.x, b.x, high, low);
  return uvec2(low, high + a.x * b.y + a.y * b.x);
}

bool Less64(uvec2 a, uvec2 b) { return a.y == b.y ? a.x < b.x : int(a.y) < int(b.y); }

// Within one unit in the last place: each word is rounded, and their sum.
float ToFloat64(uvec2 value) {
  const bool negative = int(value.y) < 0;
  if (negative) value = Add64(~value, uvec2(1, 0));
  const float magnitude = float(value.y) * 4294967296.0 + float(value.x);
  return negative ? -magnitude : magnitude;
}

#endif  // TANDEM_WIDE_INTEGER_GLSL
