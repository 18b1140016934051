// The op fused on Vulkan devices, where its body is a dense layer: a matrix product, a bias, an
// activation, or the first and one of the others.
//
//   TANDEM_RETURN_IF_ERROR(RegisterFusedMatmulKernels(&registry));
//
// It is the product of matmul.h with its epilogue, so the sums are those of matmul, and what follows
// rounds as the single ops do: f32, f64, i32 and i64, which are computed in as they are stored. Other
// bodies run step by step.
// Thread rules: register before use; all else from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_FUSED_MATMUL_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_FUSED_MATMUL_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterFusedMatmulKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_FUSED_MATMUL_H_
