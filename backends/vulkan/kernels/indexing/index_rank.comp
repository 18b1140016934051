// Stable sort of a few indices in one step: each finds its place by counting those that come before
// it. Work grows with the square of their number, but nothing waits for anything.
#version 450
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Indices { uint indices[]; };
layout(std430, binding = 1) writeonly buffer Sorted { uvec2 sorted_pairs[]; };
#include "backends/vulkan/kernels/indexing/index_key.glsl"

layout(push_constant) uniform Constants {
  uint count;
  int size;
};

void main() {
  const uint i = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (i >= count) return;
  const uvec2 own = KeyAt(i, size);
  uint place = 0;
  for (uint j = 0; j < count; ++j) {
    const uint key = KeyAt(j, size).x;
    if (key < own.x || (key == own.x && j < i)) ++place;
  }
  sorted_pairs[place] = own;
}
