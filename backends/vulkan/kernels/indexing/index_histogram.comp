// Radix sort, first step of a pass: how often each digit occurs in a block of 256 keys. Counts are
// stored digit by digit, so that their running sum (index_scan.comp) is where each block's keys go.
#version 450
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Indices { uint indices[]; };
layout(std430, binding = 1) writeonly buffer Counts { uint counts[]; };
#include "backends/vulkan/kernels/indexing/index_key.glsl"

layout(push_constant) uniform Constants {
  uint count;
  int size;
  uint shift;   // of the digit in the key
  uint blocks;
};

const uint BLOCK = 256;
const uint DIGITS = 256;
shared uint bins[DIGITS];

void main() {
  if (LINEAR_GROUP >= blocks) return;
  for (uint i = gl_LocalInvocationID.x; i < DIGITS; i += gl_WorkGroupSize.x) bins[i] = 0;
  barrier();
  for (uint i = gl_LocalInvocationID.x; i < BLOCK; i += gl_WorkGroupSize.x) {
    const uint key = LINEAR_GROUP * BLOCK + i;
    // Integer sums: the order in which they are made does not show.
    if (key < count) atomicAdd(bins[(KeyAt(key, size).x >> shift) & (DIGITS - 1)], 1);
  }
  barrier();
  for (uint i = gl_LocalInvocationID.x; i < DIGITS; i += gl_WorkGroupSize.x) {
    counts[i * blocks + LINEAR_GROUP] = bins[i];
  }
}
