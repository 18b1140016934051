// What kernels of floating-point ops share: the dtype that they compute in, and how a number of an
// attribute reaches a shader.
//
//   const DType type = FloatComputeType(request.inputs[0].spec.dtype);    // f32 or f64
//   constants.epsilon = NumberBits(type, request.attrs.Double("epsilon"));
//
// Thread rules: a value type, pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_FLOATING_POINT_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_FLOATING_POINT_H_

#include <bit>
#include <cstdint>
#include <vector>

#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

inline DType FloatComputeType(DType dtype) {
  return dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}

// The bits of a number of a compute type: of f32 in the first word, of f64 in both (FromBits in
// shaders/extremum.glsl).
struct NumberBits {
  NumberBits() = default;
  NumberBits(DType compute_type, double value) {
    if (compute_type == DType::kF64) {
      const uint64_t bits = std::bit_cast<uint64_t>(value);
      low = static_cast<uint32_t>(bits);
      high = static_cast<uint32_t>(bits >> 32);
    } else {
      low = std::bit_cast<uint32_t>(static_cast<float>(value));
    }
  }
  uint32_t low = 0;
  uint32_t high = 0;
};

inline std::vector<DType> FloatTypes() {
  return {DType::kF32, DType::kF64, DType::kF16, DType::kBF16};
}

// Whether the device computes with the dtype of the first input if that is floating point. For kernels
// that handle 64-bit integers as pairs of words, and so need not what VulkanKernelDef asks for.
bool ComputesFloatsOfInput(const KernelRequest& request);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_FLOATING_POINT_H_
