// low + u · range with u in [0, 1) of 24 bits: four elements from a block of Philox.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/kernels/creation/philox.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) readonly buffer State { uvec2 state[]; };  // seed, offset
layout(set = 0, binding = 1) writeonly buffer Y { T y[]; };
layout(push_constant) uniform Constants {
  uvec2 delta;
  uvec2 low;  // the bits of a T; the first word for f32
  uvec2 range;
  uint n;
  uint unused;
};

#ifdef DTYPE_F64
#define FROM_BITS(bits) packDouble2x32(bits)
#define UNIT 5.9604644775390625e-8lf
#else
#define FROM_BITS(bits) uintBitsToFloat((bits).x)
#define UNIT 5.9604644775390625e-8  // 2^-24
#endif

void main() {
  const uint block = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const uint begin = 4u * block;
  if (begin >= n) return;
  const uvec4 words = PhiloxBlock(state[0], state[1], delta, block);
  const uint count = min(n - begin, 4u);
  for (uint k = 0; k < count; ++k) {
    precise T u = T(int(words[k] >> 8)) * UNIT;
    precise T value = FROM_BITS(low) + u * FROM_BITS(range);
    y[begin + k] = value;
  }
}
