// y = (x - mean) * rstd * gamma + beta with one of each for every channel of a contiguous tensor
// [outer, channels, inner]. An invocation computes PER_INVOCATION elements.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"

const uint PER_INVOCATION = 4;  // as kernels/normalization.cc has it

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { Stored x[]; };
layout(std430, binding = 1) readonly buffer Mean { T mean[]; };
layout(std430, binding = 2) readonly buffer Rstd { T rstd[]; };
layout(std430, binding = 3) readonly buffer Gamma { T gamma[]; };
layout(std430, binding = 4) readonly buffer Beta { T beta[]; };
layout(std430, binding = 5) writeonly buffer Y { Stored y[]; };
layout(push_constant) uniform Constants {
  uint total;
  Divisor inner;
  Divisor channels;
};

void main() {
  const uint first = LINEAR_GROUP * gl_WorkGroupSize.x * PER_INVOCATION + gl_LocalInvocationID.x;
  [[unroll]] for (uint k = 0; k < PER_INVOCATION; ++k) {
    const uint i = first + k * gl_WorkGroupSize.x;
    if (i < total) {
      const uint line = Divide(i, inner);
      const uint c = line - Divide(line, channels) * channels.divisor;
      const T result = (Widen(x[i]) - mean[c]) * rstd[c] * gamma[c] + beta[c];
      y[i] = Narrow(result);
    }
  }
}
