// Where in the sorted keys each key's run starts; entry `size` is their number. By binary search.
#version 450
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Sorted { uvec2 sorted_pairs[]; };
layout(std430, binding = 1) writeonly buffer Starts { uint starts[]; };

layout(push_constant) uniform Constants {
  uint count;
  uint size;
};

void main() {
  const uint key = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (key > size) return;
  uint low = 0;
  uint high = count;
  while (low < high) {
    const uint middle = (low + high) / 2;
    if (sorted_pairs[middle].x < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  starts[key] = low;
}
