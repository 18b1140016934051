// Repeats an element of 1, 2, 4 or 8 bytes, as 32-bit words: even ones take the first word of the
// pattern, odd ones the second.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) buffer Y { uint y[]; };
layout(push_constant) uniform Constants {
  uvec2 pattern;
  uint num_bytes;
  uint unused;
};

void main() {
  const uint first = 4u * (LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x);
  for (uint word = first; word < first + 4u; ++word) {
    if (word >= (num_bytes + 3u) / 4u) return;
    const uint bits = pattern[word & 1u];
    const uint left = num_bytes - 4u * word;
    // Bytes behind the end keep their values.
    y[word] = left >= 4u ? bits : bitfieldInsert(y[word], bits, 0, int(8u * left));
  }
}
