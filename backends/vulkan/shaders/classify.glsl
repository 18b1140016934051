// What kind of number a float is, from its bits: compilers that assume there is no NaN change x != x.
#ifndef TANDEM_CLASSIFY_GLSL_
#define TANDEM_CLASSIFY_GLSL_

bool IsNan(float x) { return (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u; }
bool IsNan(double x) {
  const uvec2 bits = unpackDouble2x32(x);
  const uint high = bits.y & 0x7FFFFFFFu;
  return high > 0x7FF00000u || (high == 0x7FF00000u && bits.x != 0u);
}

#endif  // TANDEM_CLASSIFY_GLSL_
