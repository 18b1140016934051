// For tests of programs and streams: y = factor * x + addend, of n elements.
#version 450
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint addend = 0;
layout(set = 0, binding = 0) readonly buffer X { T x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { T y[]; };
layout(push_constant) uniform Constants {
  uint n;
  int factor;
};

void main() {
  const uint i = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (i < n) y[i] = T(factor) * x[i] + T(addend);
}
