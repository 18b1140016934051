// Philox 4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011. The bits of backends/cpu/philox.h.
//
// 64-bit numbers are two words, x the lower, so no 64-bit integers are needed.
#ifndef TANDEM_PHILOX_GLSL_
#define TANDEM_PHILOX_GLSL_

// The four words of the block that the counter (low, 0) and the key `seed` give.
uvec4 Philox(uvec2 seed, uvec2 counter) {
  uvec4 c = uvec4(counter, 0u, 0u);
  for (int round = 0; round < 10; ++round) {
    uint high0, low0, high1, low1;
    umulExtended(0xD2511F53u, c.x, high0, low0);
    umulExtended(0xCD9E8D57u, c.z, high1, low1);
    c = uvec4(high1 ^ c.y ^ seed.x, low1, high0 ^ c.w ^ seed.y, low0);
    seed += uvec2(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

// The block `index` of a tensor, from the state {seed, offset} and what is added to the offset.
uvec4 PhiloxBlock(uvec2 seed, uvec2 offset, uvec2 delta, uint index) {
  uint carry0, carry1;
  const uint sum = uaddCarry(offset.x, delta.x, carry0);
  const uint low = uaddCarry(sum, index, carry1);
  return Philox(seed, uvec2(low, offset.y + delta.y + carry0 + carry1));
}

#endif  // TANDEM_PHILOX_GLSL_
