// The GLSL files that shaders which are printed at run time may include, as text.
//
//   for (const RuntimeShader& shader : kRuntimeShaders) …
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_RUNTIME_SHADERS_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_RUNTIME_SHADERS_H_

namespace tandem::vulkan_backend {

struct RuntimeShader {
  const char* path;  // in the repository: "backends/vulkan/shaders/math_f32.glsl"
  const char* text;
};

inline constexpr RuntimeShader kRuntimeShaders[] = {
#include "tandem/backends/vulkan/programs/runtime_shaders.inc"
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_RUNTIME_SHADERS_H_
