// mean + stddev · z with normal z after Box and Muller: four elements from a block of Philox, two
// from each pair of its words.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/kernels/creation/philox.glsl"

#ifdef DTYPE_F64
#include "backends/vulkan/shaders/math_f64.glsl"
#else
#include "backends/vulkan/shaders/math_f32.glsl"
#endif
// Sines of f32, too, are computed in f64 for the CPU's bits, where the device has it.
#ifdef WITHOUT_F64
#include "backends/vulkan/shaders/trig_f32.glsl"
#else
#include "backends/vulkan/shaders/trig_f64.glsl"
#endif

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) readonly buffer State { uvec2 state[]; };  // seed, offset
layout(set = 0, binding = 1) writeonly buffer Y { T y[]; };
layout(push_constant) uniform Constants {
  uvec2 delta;
  uvec2 mean;  // the bits of a T; the first word for f32
  uvec2 stddev;
  uint n;
  uint unused;
};

#ifdef DTYPE_F64
#define FROM_BITS(bits) packDouble2x32(bits)
#define UNIT 5.9604644775390625e-8lf
#define TWO_PI 6.283185307179586lf
#else
#define FROM_BITS(bits) uintBitsToFloat((bits).x)
#define UNIT 5.9604644775390625e-8  // 2^-24
#define TWO_PI 6.283185307179586
#endif

void main() {
  const uint block = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const uint begin = 4u * block;
  if (begin >= n) return;
  const uvec4 words = PhiloxBlock(state[0], state[1], delta, block);
  const T mean_value = FROM_BITS(mean), stddev_value = FROM_BITS(stddev);
  T values[4];
  for (int pair = 0; pair < 2; ++pair) {
    precise T u0 = T(int(words[2 * pair] >> 8)) * UNIT;
    precise T u1 = T(int(words[2 * pair + 1] >> 8)) * UNIT;
    precise T rest = ONE - u0;  // exact and never 0
    precise T square = T(-2) * Log(rest);
    precise T radius = sqrt(square);
    precise T angle = TWO_PI * u1;
    precise T first = mean_value + stddev_value * (radius * SinAny(angle, 1));
    precise T second = mean_value + stddev_value * (radius * SinAny(angle, 0));
    values[2 * pair] = first;
    values[2 * pair + 1] = second;
  }
  const uint count = min(n - begin, 4u);
  for (uint k = 0; k < count; ++k) y[begin + k] = values[k];
}
