// start + i · step, in f64.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) writeonly buffer Y { double y[]; };
layout(push_constant) uniform Constants {
  uvec2 start;  // the bits of doubles
  uvec2 increment;
  uint n;
  uint unused;
};

void main() {
  const uint i = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (i >= n) return;
  precise double value = packDouble2x32(start) + double(i) * packDouble2x32(increment);
  y[i] = value;
}
