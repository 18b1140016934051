// The gradient of avg_pool2d: an element gets the share of each window that it lies in. An invocation
// is an element of the image.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"
#include "backends/vulkan/kernels/pooling/window.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Grad { Stored grad[]; };
layout(std430, binding = 1) writeonly buffer Dx { Stored dx[]; };
layout(push_constant) uniform Constants {
  uint total;  // elements of all planes
  uint count_include_pad;
  WindowAxis height;
  WindowAxis width;
};

void main() {
  const uint element = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (element >= total) return;
  const uint row = element / uint(width.size);
  const int w = int(element - row * uint(width.size));
  const uint plane = row / uint(height.size);
  const int h = int(row - plane * uint(height.size));
  const uint first = plane * uint(height.windows * width.windows);
  const bool padded = count_include_pad != 0;
  const int h_end = EndWindow(height, h);
  const int w_begin = FirstWindow(width, w);
  const int w_end = EndWindow(width, w);
  T sum = ZERO;
  for (int oh = FirstWindow(height, h); oh < h_end; ++oh) {
    const T rows = T(SizeOf(height, oh, padded));
    for (int ow = w_begin; ow < w_end; ++ow) {
      const T share = Widen(grad[first + uint(oh * width.windows + ow)]);
      sum += share / (rows * T(SizeOf(width, ow, padded)));
    }
  }
  dx[element] = Narrow(sum);
}
