// The gradient of gather: each element of the result is the sum of the gradients whose indices name
// its slice, in the order of the indices, by one invocation. So two runs give the same bits, and
// they are those of a loop over the indices. Long runs of one index are summed in several dispatches,
// each of which goes on where the one before it stopped.
#version 450
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"
#include "backends/vulkan/shaders/wide_integer.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Grad { T grad[]; };
layout(std430, binding = 1) readonly buffer Sorted { uvec2 sorted_pairs[]; };
layout(std430, binding = 2) readonly buffer Starts { uint starts[]; };
layout(std430, binding = 3) buffer Dx { T dx[]; };

layout(push_constant) uniform Constants {
  uint total;     // elements of the result
  uint count;     // indices
  Divisor inner;  // elements of a slice
  Divisor size;   // slices
  uint skipped;   // indices of each slice that earlier dispatches summed
  uint most;      // that this one sums
};

#if defined(DTYPE_B8)
T Sum(T a, T b) { return Add64(a, b); }  // integers of 64 bits
#else
T Sum(T a, T b) { return a + b; }
#endif

void main() {
  const uint element = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (element >= total) return;
  const uint row = Divide(element, inner);
  const uint column = element - row * inner.divisor;
  const uint outer = Divide(row, size);
  const uint slice = row - outer * size.divisor;
  const uint first = starts[slice];
  const uint indices = starts[slice + 1] - first;
  if (skipped > 0 && indices <= skipped) return;
  const uint end = first + min(indices, skipped + most);
  T sum = ZERO;
  if (skipped > 0) sum = dx[element];
  for (uint i = first + skipped; i < end; ++i) {
    sum = Sum(sum, grad[(outer * count + sorted_pairs[i].y) * inner.divisor + column]);
  }
  dx[element] = sum;
}
