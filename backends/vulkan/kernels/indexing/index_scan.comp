// Radix sort, second step of a pass: counts become their exclusive running sum, in place. One work
// group walks over all of them, so no group waits for another; in several dispatches, if they are
// more than a loop may have.
#version 450
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) buffer Counts { uint counts[]; };

layout(push_constant) uniform Constants {
  uint begin, end;  // of the counts that this dispatch sums
  uint total;       // of all counts, behind which stands their sum so far
};

const uint MOST = 256;      // invocations
const uint PER_THREAD = 8;  // neighbouring counts that one invocation sums
shared uint sums[MOST];

void main() {
  if (LINEAR_GROUP > 0) return;
  const uint lane = gl_LocalInvocationID.x;
  const uint chunk = gl_WorkGroupSize.x * PER_THREAD;
  uint carry = begin > 0 ? counts[total] : 0;
  barrier();  // before it is written anew
  for (uint start = begin; start < end; start += chunk) {
    const uint first = start + lane * PER_THREAD;
    uint own[PER_THREAD];
    uint sum = 0;
    for (uint i = 0; i < PER_THREAD; ++i) {
      own[i] = first + i < end ? counts[first + i] : 0;
      sum += own[i];
    }
    sums[lane] = sum;
    barrier();
    // Hillis and Steele: after step s, a sum is that of the last 2s invocations.
    for (uint distance = 1; distance < gl_WorkGroupSize.x; distance *= 2) {
      const uint before = lane >= distance ? sums[lane - distance] : 0;
      barrier();
      sums[lane] += before;
      barrier();
    }
    uint running = carry + sums[lane] - sum;
    for (uint i = 0; i < PER_THREAD; ++i) {
      if (first + i < end) counts[first + i] = running;
      running += own[i];
    }
    carry += sums[gl_WorkGroupSize.x - 1];
    barrier();  // before the next chunk overwrites the sums
  }
  if (lane == 0) counts[total] = carry;
}
