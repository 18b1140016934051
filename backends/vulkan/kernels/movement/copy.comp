// A copy of elements that lie anywhere: any strides, also negative and zero ones, to a contiguous
// result.
#version 450
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int RANK = 8;

layout(std430, binding = 0) readonly buffer X { T x[]; };
layout(std430, binding = 1) writeonly buffer Y { T y[]; };

struct Axis {
  Divisor size;
  int stride;  // units of the input
};
layout(push_constant) uniform Constants {
  Axis axes[7];      // all but the outermost, the innermost first
  int outer_stride;  // of the outermost
  int offset;        // of the first unit of the input
  uint total;        // units of the result
};

void main() {
  const uint unit = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (unit >= total) return;
  uint rest = unit;
  int from = offset;
  for (int i = 0; i + 1 < RANK; ++i) {
    const uint outer = Divide(rest, axes[i].size);
    from += int(rest - outer * axes[i].size.divisor) * axes[i].stride;
    rest = outer;
  }
  y[unit] = x[from + int(rest) * outer_stride];
}
