// One-hot: `on` at the index of each row, `off` elsewhere and for an index that is out of range.
#version 450
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"
#include "backends/vulkan/shaders/pattern.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Indices { uint indices[]; };
layout(std430, binding = 1) writeonly buffer Y { T y[]; };
#include "backends/vulkan/shaders/index.glsl"

layout(push_constant) uniform Constants {
  uint total;
  Divisor depth;
  uint on_low, on_high;    // bits of the element
  uint off_low, off_high;
};

void main() {
  const uint element = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (element >= total) return;
  const uint row = Divide(element, depth);
  const int column = int(element - row * depth.divisor);
  const bool hit = IndexNear(row, int(depth.divisor)) == column;
  y[element] = hit ? Pattern(on_low, on_high) : Pattern(off_low, off_high);
}
