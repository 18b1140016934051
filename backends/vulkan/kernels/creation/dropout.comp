// x · scale where the element's word, less its last 8 bits, is below the threshold, elsewhere 0: four
// elements from a block of Philox.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/kernels/creation/philox.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) readonly buffer X { T x[]; };
layout(set = 0, binding = 1) readonly buffer State { uvec2 state[]; };  // seed, offset
layout(set = 0, binding = 2) buffer Y { T y[]; };                       // may be X
layout(push_constant) uniform Constants {
  uvec2 delta;
  uvec2 scale;  // the bits of a T; the first word for f32
  uint n;
  uint threshold;
};

#ifdef DTYPE_F64
#define FROM_BITS(bits) packDouble2x32(bits)
#else
#define FROM_BITS(bits) uintBitsToFloat((bits).x)
#endif

void main() {
  const uint block = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const uint begin = 4u * block;
  if (begin >= n) return;
  const uvec4 words = PhiloxBlock(state[0], state[1], delta, block);
  const uint count = min(n - begin, 4u);
  for (uint k = 0; k < count; ++k) {
    precise T kept = x[begin + k] * FROM_BITS(scale);
    y[begin + k] = (words[k] >> 8) < threshold ? kept : ZERO;
  }
}
