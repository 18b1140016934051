// max_pool2d, avg_pool2d and their gradients on Vulkan devices, for floating-point dtypes.
//
//   TANDEM_RETURN_IF_ERROR(RegisterPoolingKernels(&registry));
//
// The gradients gather: each element of the image adds the windows it lies in, in their order, so no
// atomics are needed and every run gives the same bits.
// Thread rules: register before use; the kernels may be prepared and recorded in many threads at
// once.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_POOLING_POOLING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_POOLING_POOLING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterPoolingKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_POOLING_POOLING_H_
