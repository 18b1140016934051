// Bits of 2/pi, for the reduction of large angles (trig_f32.glsl, trig_f64.glsl).
//
// A table that is indexed by a variable would be copied to each invocation's memory by some drivers;
// here words are selected in stages, as a barrel shifter does.
#ifndef TANDEM_TWO_OVER_PI_GLSL_
#define TANDEM_TWO_OVER_PI_GLSL_

#extension GL_EXT_control_flow_attributes : enable

// 2/pi behind the point, first bit highest, after 64 zeros.
const uint kTwoOverPiNearWords[14] = uint[](
      0u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u, 0xFE5163ABu,
      0xDEBBC561u, 0xB7246E3Au, 0x424DD2E0u, 0x06492EEAu, 0x09D1921Cu, 0xFE1DEB1Cu);

// The 192 bits from bit `first` (counted from the point) on, highest word first; first in [-32, 127].
void TwoOverPiNear(int first, out uint window[6]) {
  const uint skip = uint((first + 64) >> 5) - 1u;
  uint by4[10];
  [[unroll]] for (int i = 0; i < 10; ++i) {
    by4[i] = (skip & 4u) != 0u ? kTwoOverPiNearWords[i + 4] : kTwoOverPiNearWords[i];
  }
  uint by2[8];
  [[unroll]] for (int i = 0; i < 8; ++i) {
    by2[i] = (skip & 2u) != 0u ? by4[i + 2] : by4[i];
  }
  uint by1[7];
  [[unroll]] for (int i = 0; i < 7; ++i) {
    by1[i] = (skip & 1u) != 0u ? by2[i + 1] : by2[i];
  }
  const uint shift = uint(first) & 31u;
  [[unroll]] for (int i = 0; i < 6; ++i) {
    window[i] = by1[i] << shift | (by1[i + 1] >> 1) >> (31u - shift);
  }
}

const uint kTwoOverPiFarWords[70] = uint[](
      0u, 0u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u,
      0xFE5163ABu, 0xDEBBC561u, 0xB7246E3Au, 0x424DD2E0u, 0x06492EEAu, 0x09D1921Cu, 0xFE1DEB1Cu,
      0xB129A73Eu, 0xE88235F5u, 0x2EBB4484u, 0xE99C7026u, 0xB45F7E41u, 0x3991D639u, 0x835339F4u,
      0x9C845F8Bu, 0xBDF9283Bu, 0x1FF897FFu, 0xDE05980Fu, 0xEF2F118Bu, 0x5A0A6D1Fu, 0x6D367ECFu,
      0x27CB09B7u, 0x4F463F66u, 0x9E5FEA2Du, 0x7527BAC7u, 0xEBE5F17Bu, 0x3D0739F7u, 0x8A5292EAu,
      0x6BFB5FB1u, 0x1F8D5D08u, 0x56033046u, 0xFC7B6BABu, 0xF0CFBC20u, 0x9AF4361Du, 0xA9E39161u, 0u,
      0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u,
      0u, 0u, 0u);

// The same for first in [-64, 990].
void TwoOverPiFar(int first, out uint window[6]) {
  const uint skip = uint((first + 64) >> 5);
  uint by32[38];
  [[unroll]] for (int i = 0; i < 38; ++i) {
    by32[i] = (skip & 32u) != 0u ? kTwoOverPiFarWords[i + 32] : kTwoOverPiFarWords[i];
  }
  uint by16[22];
  [[unroll]] for (int i = 0; i < 22; ++i) {
    by16[i] = (skip & 16u) != 0u ? by32[i + 16] : by32[i];
  }
  uint by8[14];
  [[unroll]] for (int i = 0; i < 14; ++i) {
    by8[i] = (skip & 8u) != 0u ? by16[i + 8] : by16[i];
  }
  uint by4[10];
  [[unroll]] for (int i = 0; i < 10; ++i) {
    by4[i] = (skip & 4u) != 0u ? by8[i + 4] : by8[i];
  }
  uint by2[8];
  [[unroll]] for (int i = 0; i < 8; ++i) {
    by2[i] = (skip & 2u) != 0u ? by4[i + 2] : by4[i];
  }
  uint by1[7];
  [[unroll]] for (int i = 0; i < 7; ++i) {
    by1[i] = (skip & 1u) != 0u ? by2[i + 1] : by2[i];
  }
  const uint shift = uint(first) & 31u;
  [[unroll]] for (int i = 0; i < 6; ++i) {
    window[i] = by1[i] << shift | (by1[i + 1] >> 1) >> (31u - shift);
  }
}

#endif  // TANDEM_TWO_OVER_PI_GLSL_
