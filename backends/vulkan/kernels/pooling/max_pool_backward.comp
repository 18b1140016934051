// The gradient of max_pool2d: an element gets the gradients of the windows whose maximum it is, in
// the order of the windows. An invocation is an element of the image.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"
#include "backends/vulkan/kernels/pooling/window.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Grad { Stored grad[]; };
layout(std430, binding = 1) readonly buffer Indices { uint indices[]; };  // of pool.comp
layout(std430, binding = 2) writeonly buffer Dx { Stored dx[]; };
layout(push_constant) uniform Constants {
  uint total;  // elements of all planes
  uint count_include_pad;
  WindowAxis height;
  WindowAxis width;
};

void main() {
  const uint element = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (element >= total) return;
  const uint plane_size = uint(height.size * width.size);
  const uint plane = element / plane_size;
  const uint index = element - plane * plane_size;
  const int h = int(index / uint(width.size));
  const int w = int(index) - h * width.size;
  const uint first = plane * uint(height.windows * width.windows);
  const int h_end = EndWindow(height, h);
  const int w_begin = FirstWindow(width, w);
  const int w_end = EndWindow(width, w);
  T sum = ZERO;
  for (int oh = FirstWindow(height, h); oh < h_end; ++oh) {
    for (int ow = w_begin; ow < w_end; ++ow) {
      const uint window = first + uint(oh * width.windows + ow);
      if (indices[window] == index) sum += Widen(grad[window]);
    }
  }
  dx[element] = Narrow(sum);
}
