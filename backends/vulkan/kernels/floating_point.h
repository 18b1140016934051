// What kernels of floating-point ops share: the dtypes that their shaders store and compute with, the
// shaders for these, and how a number of an attribute reaches them.
//
//   const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
//   constants.epsilon = NumberBits(type.compute, request.attrs.Double("epsilon"));
//   b.Dispatch(TANDEM_FLOAT_SHADERS(Pool).For(type), …, {Read(b.InputAs(0, type.stored)), …
//
// f16 and bf16 are computed in f32. Devices that address 16 bits have shaders that read and write
// them as they are (shaders/stored_element.glsl); for others the operands are converted.
//
// Thread rules: a value type, pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_FLOATING_POINT_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_FLOATING_POINT_H_

#include <bit>
#include <cstdint>
#include <vector>

#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/shaders/shader.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

inline DType FloatComputeType(DType dtype) {
  return dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}

struct ElementType {
  DType compute = DType::kF32;  // f32 or f64
  DType stored = DType::kF32;   // the same, or f16 or bf16: KernelBuilder::InputAs, OutputAs

  // `dtype` is floating point.
  static ElementType Of(const Capabilities& capabilities, DType dtype) {
    const DType compute = FloatComputeType(dtype);
    const bool in_place = dtype == compute || capabilities.storage16;
    return {compute, in_place ? dtype : compute};
  }
};

// The variants of a shader.
struct FloatShaders {
  const Shader* (*of_compute_type)(DType);
  const Shader* (*of_f16)(DType);
  const Shader* (*of_bf16)(DType);

  const Shader* For(const ElementType& type) const {
    if (type.stored == DType::kF16) return of_f16(type.compute);
    if (type.stored == DType::kBF16) return of_bf16(type.compute);
    return of_compute_type(type.compute);
  }
};

// Of x_shaders, x_f16_shaders and x_bf16_shaders, for X.
#define TANDEM_FLOAT_SHADERS(X) \
  ::tandem::vulkan_backend::FloatShaders { &X##Shader, &X##F16Shader, &X##Bf16Shader }
// The same of a shader that includes lanes.glsl: for X and XSubgroup.
#define TANDEM_LANE_SHADERS(X, subgroups) \
  ((subgroups) ? TANDEM_FLOAT_SHADERS(X##Subgroup) : TANDEM_FLOAT_SHADERS(X))

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
