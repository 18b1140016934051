// max_pool2d and avg_pool2d, and where each window of max_pool2d has its maximum: the first NaN,
// else the first of the largest elements. An invocation is a window, of which it
// walks eight columns at a time: software drivers count iterations.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"
#include "backends/vulkan/shaders/extremum.glsl"
#include "backends/vulkan/kernels/pooling/window.glsl"

layout(local_size_x_id = 0) in;
const uint MAX = 0;
const uint AVERAGE = 1;
const uint INDEX_OF_MAX = 2;  // in the plane
layout(constant_id = 1) const uint RESULT = 0;

layout(std430, binding = 0) readonly buffer X { Stored x[]; };
layout(std430, binding = 1) writeonly buffer Y { Stored y[]; };
layout(std430, binding = 1) writeonly buffer Indices { uint indices[]; };
layout(push_constant) uniform Constants {
  uint total;  // windows of all planes
  uint count_include_pad;
  WindowAxis height;
  WindowAxis width;
};

// The element if it is larger than the best so far, or the first NaN.
void Take(uint image, uint at, inout T best, inout uint index) {
  const T value = Widen(x[image + at]);
  if (!IsNan(best) && (best < value || IsNan(value))) {
    best = value;
    index = at;
  }
}

void main() {
  const uint window = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (window >= total) return;
  const uint row = window / uint(width.windows);
  const int ow = int(window - row * uint(width.windows));
  const uint plane = row / uint(height.windows);
  const int oh = int(row - plane * uint(height.windows));
  const uint image = plane * uint(height.size * width.size);
  const int h_begin = BeginOf(height, oh);
  const int h_end = EndOf(height, oh);
  const int w_begin = BeginOf(width, ow);
  const int w_end = EndOf(width, ow);

  if (RESULT == AVERAGE) {
    T sum = ZERO;
    for (int h = h_begin; h < h_end; ++h) {
      T row_sum = ZERO;
      int w = w_begin;
      for (; w + 8 <= w_end; w += 8) {
        [[unroll]] for (int i = 0; i < 8; ++i) {
          row_sum += Widen(x[image + uint(h * width.size + w + i)]);
        }
      }
      for (; w < w_end; ++w) {
        row_sum += Widen(x[image + uint(h * width.size + w)]);
      }
      sum += row_sum;
    }
    const bool padded = count_include_pad != 0;
    sum /= T(SizeOf(height, oh, padded)) * T(SizeOf(width, ow, padded));
    y[window] = Narrow(sum);
    return;
  }
  uint index = uint(h_begin * width.size + w_begin);
  T best = Widen(x[image + index]);
  for (int h = h_begin; h < h_end; ++h) {
    int w = w_begin;
    for (; w + 8 <= w_end; w += 8) {
      [[unroll]] for (int i = 0; i < 8; ++i) Take(image, uint(h * width.size + w + i), best, index);
    }
    for (; w < w_end; ++w) Take(image, uint(h * width.size + w), best, index);
  }
  if (RESULT == MAX) {
    y[window] = Narrow(best);
  } else {
    indices[window] = index;
  }
}
