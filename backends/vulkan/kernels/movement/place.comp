// Pad and the gradient of slice: element j of the input, along an axis, is element begin + j * step
// of the result; what no input lands on has a fixed value.
//
// Up to five axes come with what replaces a division by their sizes. MANY_AXES: up to eight axes of
// four words, which fill the 128 bytes of push constants that every device has, and are divided by.
// The value is a specialization constant: programs use one or two (0, -inf).
#version 450
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"
#include "backends/vulkan/shaders/pattern.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int RANK = 1;         // axes in use, the innermost first
layout(constant_id = 2) const bool STEPPED = true;  // false: every step is 1
layout(constant_id = 3) const uint VALUE_LOW = 0;
layout(constant_id = 4) const uint VALUE_HIGH = 0;

layout(std430, binding = 0) readonly buffer X { T x[]; };
layout(std430, binding = 1) writeonly buffer Y { T y[]; };

#ifdef MANY_AXES
const int MOST_AXES = 8;
#define SIZE uint
#define QUOTIENT(n, size) ((n) / (size))
#define NUMBER(size) (size)
#else
const int MOST_AXES = 5;
#define SIZE Divisor
#define QUOTIENT(n, size) Divide(n, size)
#define NUMBER(size) (size).divisor
#endif

struct Axis {
  SIZE size;   // of the result
  uint count;  // of the input
  int begin;
  int step;
};
layout(push_constant) uniform Constants { Axis axes[MOST_AXES]; };

void main() {
  uint rest = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const uint element = rest;
  if (element > 0x7fffffffu) return;  // behind the last element, and more than Divide takes
  bool inside = true;
  uint source = 0;
  uint scale = 1;
  for (int i = 0; i < RANK; ++i) {
    const uint outer = QUOTIENT(rest, axes[i].size);
    int index = int(rest - outer * NUMBER(axes[i].size)) - axes[i].begin;
    rest = outer;
    if (STEPPED) {
      const int quotient = index / axes[i].step;
      inside = inside && quotient * axes[i].step == index;
      index = quotient;
    }
    inside = inside && uint(index) < axes[i].count;  // a negative index is a large one
    source += uint(index) * scale;
    scale *= axes[i].count;
  }
  if (rest > 0) return;  // behind the last element
  T value = Pattern(VALUE_LOW, VALUE_HIGH);
  if (inside) value = x[source];
  y[element] = value;
}
