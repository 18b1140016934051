// Gather: run i of the result is the run of x that index i names. A run is `run.divisor` units of
// memory, of 1 to 16 bytes; an invocation moves one.
#version 450
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { T x[]; };
layout(std430, binding = 1) readonly buffer Indices { uint indices[]; };
layout(std430, binding = 2) writeonly buffer Y { T y[]; };
#include "backends/vulkan/shaders/index.glsl"

layout(push_constant) uniform Constants {
  uint total;     // units of the result
  int size;       // of the indexed axis
  Divisor run;    // units of a slice
  Divisor count;  // indices
};

void main() {
  const uint unit = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (unit >= total) return;
  const uint row = Divide(unit, run);
  const uint outer = Divide(row, count);
  const uint index = ClippedIndex(row - outer * count.divisor, size);
  y[unit] = x[(outer * uint(size) + index) * run.divisor + (unit - row * run.divisor)];
}
