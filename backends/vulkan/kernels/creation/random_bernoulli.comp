// One or zero of any dtype, as bits: one where the element's word, less its last 8 bits, is below the
// threshold. Four elements from a block of Philox, written as 32-bit words.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/kernels/creation/philox.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kElementBytes = 4u;  // 1, 2, 4 or 8
layout(set = 0, binding = 0) readonly buffer State { uvec2 state[]; };  // seed, offset
layout(set = 0, binding = 1) buffer Y { uint y[]; };
layout(push_constant) uniform Constants {
  uvec2 delta;
  uvec2 one;  // its bits
  uint n;
  uint threshold;
};

// Writes the lowest bits of a word; those behind them keep their values.
void Store(uint index, uint word, int bits) {
  y[index] = bits >= 32 ? word : bitfieldInsert(y[index], word, 0, bits);
}

void main() {
  const uint block = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const uint begin = 4u * block;
  if (begin >= n) return;
  const uvec4 words = PhiloxBlock(state[0], state[1], delta, block);
  const int count = int(min(n - begin, 4u));
  uint element[4];
  for (int k = 0; k < 4; ++k) element[k] = (words[k] >> 8) < threshold ? one.x : 0u;
  if (kElementBytes == 1u) {
    const uint packed = element[0] | element[1] << 8 | element[2] << 16 | element[3] << 24;
    Store(block, packed, 8 * count);
  } else if (kElementBytes == 2u) {
    Store(2u * block, element[0] | element[1] << 16, 16 * count);
    if (count > 2) Store(2u * block + 1u, element[2] | element[3] << 16, 16 * (count - 2));
  } else if (kElementBytes == 4u) {
    for (int k = 0; k < count; ++k) y[begin + uint(k)] = element[k];
  } else {
    for (int k = 0; k < count; ++k) {
      y[2u * (begin + uint(k))] = element[k];
      y[2u * (begin + uint(k)) + 1u] = (words[k] >> 8) < threshold ? one.y : 0u;
    }
  }
}
