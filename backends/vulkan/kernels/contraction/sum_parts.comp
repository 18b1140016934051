#version 450
#extension GL_GOOGLE_include_directive : require
// Adds the parts of split sums, in order, and does what follows the sum (contraction.cc).
#include "backends/vulkan/shaders/common.glsl"

#include "backends/vulkan/kernels/contraction/epilogue.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"

layout(local_size_x_id = 0) in;

layout(push_constant) uniform Constants {
  uint elements;
  uint parts;
  uint bias_repeats;  // consecutive elements that share one of the bias
  uint bias_elements;
  uint bias_offset, bias_step;
} p;

layout(set = 0, binding = 0) readonly buffer PartBuffer { T part_sums[]; };
layout(set = 0, binding = 1) readonly buffer BiasBuffer { Stored bias[]; };
layout(set = 0, binding = 2) writeonly buffer OutBuffer { Stored result[]; };

void main() {
  const uint i = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (i >= p.elements) return;
  T sum = part_sums[i];
  for (uint part = 1u; part < p.parts; ++part) sum += part_sums[part * p.elements + i];
  if (BIAS != BIAS_NONE) {
    const uint bias_at = p.bias_offset + p.bias_step * (i / p.bias_repeats % p.bias_elements);
    precise const T biased = sum + Widen(bias[bias_at]);
    sum = biased;
  }
  result[i] = Narrow(Finish(sum));
}
