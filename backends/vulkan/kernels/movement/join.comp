// Concat and stack: up to three inputs side by side in the rows of the result. Three, because a
// device may have no more than four storage buffers in a shader (Vulkan 1.2, table of required
// limits); more inputs take more dispatches.
#version 450
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer A { T a[]; };
layout(std430, binding = 1) readonly buffer B { T b[]; };
layout(std430, binding = 2) readonly buffer C { T c[]; };
layout(std430, binding = 3) writeonly buffer Y { T y[]; };

layout(push_constant) uniform Constants {
  uint total;     // units of all three inputs
  Divisor width;  // units of a row of all three
  uint run_a;     // units of a row of the first
  uint run_b;
  uint run_c;
  uint pitch;     // units of a row of the result
  uint offset;    // of the first input in it
};

void main() {
  const uint unit = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (unit >= total) return;
  const uint row = Divide(unit, width);
  uint column = unit - row * width.divisor;
  const uint to = row * pitch + offset + column;
  if (column < run_a) {
    y[to] = a[row * run_a + column];
    return;
  }
  column -= run_a;
  if (column < run_b) {
    y[to] = b[row * run_b + column];
    return;
  }
  y[to] = c[row * run_c + (column - run_b)];
}
