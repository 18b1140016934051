// 2/pi as bits, for the reduction of large angles (trig_f32.glsl, trig_f64.glsl).
#ifndef TANDEM_TWO_OVER_PI_GLSL_
#define TANDEM_TWO_OVER_PI_GLSL_

// The bits of 2/pi behind the point, first bit highest.
const uint kTwoOverPi[42] = uint[](
    0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u, 0xFE5163ABu,
    0xDEBBC561u, 0xB7246E3Au, 0x424DD2E0u, 0x06492EEAu, 0x09D1921Cu, 0xFE1DEB1Cu, 0xB129A73Eu,
    0xE88235F5u, 0x2EBB4484u, 0xE99C7026u, 0xB45F7E41u, 0x3991D639u, 0x835339F4u, 0x9C845F8Bu,
    0xBDF9283Bu, 0x1FF897FFu, 0xDE05980Fu, 0xEF2F118Bu, 0x5A0A6D1Fu, 0x6D367ECFu, 0x27CB09B7u,
    0x4F463F66u, 0x9E5FEA2Du, 0x7527BAC7u, 0xEBE5F17Bu, 0x3D0739F7u, 0x8A5292EAu, 0x6BFB5FB1u,
    0x1F8D5D08u, 0x56033046u, 0xFC7B6BABu, 0xF0CFBC20u, 0x9AF4361Du, 0xA9E39161u, 0x5EE61B08u);

// 32 bits of 2/pi from bit `first` (counted from 0) on; zeros before the point.
uint TwoOverPiBits(int first) {
  if (first < 0) return first <= -32 ? 0u : kTwoOverPi[0] >> -first;
  const int word = first >> 5, shift = first & 31;
  return shift == 0 ? kTwoOverPi[word]
                    : (kTwoOverPi[word] << shift) | (kTwoOverPi[word + 1] >> (32 - shift));
}

#endif  // TANDEM_TWO_OVER_PI_GLSL_
