// Indices of 32 or 64 bits, read as 32-bit words, so that no 64-bit integers are needed.
//
// The including shader declares the buffer `uint indices[]` first. Specialization constant 1 says
// how many words an index has.
#ifndef TANDEM_INDEX_GLSL
#define TANDEM_INDEX_GLSL

layout(constant_id = 1) const uint INDEX_WORDS = 1;

// Index `i`, or the nearest number in [-1, size].
int IndexNear(uint i, int size) {
  if (INDEX_WORDS == 1) return clamp(int(indices[i]), -1, size);
  const uint low = indices[2 * i];
  const int high = int(indices[2 * i + 1]);
  if (high < 0) return -1;
  return high > 0 || low > uint(size) ? size : int(low);
}

// Index `i`, or the nearest number in [0, size - 1].
uint ClippedIndex(uint i, int size) { return uint(clamp(IndexNear(i, size), 0, size - 1)); }

#endif  // TANDEM_INDEX_GLSL
