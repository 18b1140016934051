// For tests: moves elements of any size.
#version 450
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = 64) in;
layout(set = 0, binding = 0) readonly buffer X { T x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { T y[]; };

void main() {
  const uint i = gl_GlobalInvocationID.x;
  if (i < x.length() && i < y.length()) y[i] = x[i];
}
