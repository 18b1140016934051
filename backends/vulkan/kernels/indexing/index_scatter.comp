// Radix sort, third step of a pass: every key goes to its place by this digit. Keys with the same
// digit keep their order: a key's place is its block's first place for the digit (index_scan.comp)
// and the number of keys of the block before it that have the digit.
#version 450
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Indices { uint indices[]; };
layout(std430, binding = 1) readonly buffer Places { uint places[]; };
layout(std430, binding = 2) writeonly buffer Sorted { uvec2 sorted_pairs[]; };
#include "backends/vulkan/kernels/indexing/index_key.glsl"

layout(push_constant) uniform Constants {
  uint count;
  int size;
  uint shift;
  uint blocks;
};

const uint BLOCK = 256;
const uint DIGITS = 256;
shared uint digits[BLOCK];

void main() {
  if (LINEAR_GROUP >= blocks) return;
  const uint first = LINEAR_GROUP * BLOCK;
  const uint keys = min(BLOCK, count - first);
  for (uint i = gl_LocalInvocationID.x; i < keys; i += gl_WorkGroupSize.x) {
    digits[i] = (KeyAt(first + i, size).x >> shift) & (DIGITS - 1);
  }
  barrier();
  for (uint i = gl_LocalInvocationID.x; i < keys; i += gl_WorkGroupSize.x) {
    const uint digit = digits[i];
    uint place = places[digit * blocks + LINEAR_GROUP];
    for (uint j = 0; j < i; ++j) place += digits[j] == digit ? 1 : 0;
    sorted_pairs[place] = KeyAt(first + i, size);
  }
}
