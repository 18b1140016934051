// What kind of number a float is, from its bits: compilers that assume there is no NaN change x != x.
//
// A NaN that an op computes is stored as the canonical one: which of its operands' signs and payloads
// a NaN inherits is for a driver's compiler to choose, and it chooses otherwise in a shader of several
// ops than in shaders of one.
#ifndef TANDEM_CLASSIFY_GLSL_
#define TANDEM_CLASSIFY_GLSL_

bool IsNan(float x) { return (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u; }
bool IsNan(double x) {
  const uvec2 bits = unpackDouble2x32(x);
  const uint high = bits.y & 0x7FFFFFFFu;
  return high > 0x7FF00000u || (high == 0x7FF00000u && bits.x != 0u);
}

// The bits to store.
uint CanonicalBits(float x) { return IsNan(x) ? 0x7FC00000u : floatBitsToUint(x); }
uvec2 CanonicalBits(double x) {
  return IsNan(x) ? uvec2(0u, 0x7FF80000u) : unpackDouble2x32(x);
}
float Canonical(float x) { return uintBitsToFloat(CanonicalBits(x)); }
double Canonical(double x) { return packDouble2x32(CanonicalBits(x)); }

#endif  // TANDEM_CLASSIFY_GLSL_
