// Where the steps of the stable sort of indices (index_sort.h) read their keys: in the first pass
// the indices themselves, clipped to [0, size - 1], after it pairs of a key and its position.
//
// The including shader declares the buffer `uint indices[]` first, which holds either.
#ifndef TANDEM_INDEX_KEY_GLSL
#define TANDEM_INDEX_KEY_GLSL

#include "backends/vulkan/shaders/index.glsl"

layout(constant_id = 2) const bool PAIRS = false;

// A key, and the position of its index among all indices.
uvec2 KeyAt(uint i, int size) {
  if (PAIRS) return uvec2(indices[2 * i], indices[2 * i + 1]);
  return uvec2(ClippedIndex(i, size), i);
}

#endif  // TANDEM_INDEX_KEY_GLSL
