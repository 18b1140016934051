// A compute shader as SPIR-V words, and what has to be known to make a pipeline of it.
//
// Shaders that are compiled with the project come from the rule `shaders` (shaders.bzl), which
// gives a header with one function per source and a variant for each compute type:
//
//   #include "tandem/backends/vulkan/kernels/reduction/softmax_shaders.h"
//   const Shader* shader = SoftmaxShader(DType::kF32);  // null: no such variant
//
// Shaders that are printed at run time (fused elementwise programs) are made by ShaderCompiler.
//
// Conventions for every shader: entry point "main"; descriptor set 0 has the storage buffers 0 …
// num_bindings-1; push constants start at offset 0; specialization constants are 32 bits wide and
// numbered from 0.
//
// Thread rules: plain data.
#ifndef TANDEM_BACKENDS_VULKAN_SHADERS_SHADER_H_
#define TANDEM_BACKENDS_VULKAN_SHADERS_SHADER_H_

#include <cstdint>

#include "absl/types/span.h"

namespace tandem::vulkan_backend {

struct Shader {
  const char* name = "";             // static text, for people and for errors
  absl::Span<const uint32_t> spirv;  // lives as long as the process
  int num_bindings = 0;
  uint32_t constants_bytes = 0;  // of push constants, at most 128
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_SHADERS_SHADER_H_
