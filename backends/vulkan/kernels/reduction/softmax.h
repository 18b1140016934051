// softmax, log_softmax and cross_entropy on Vulkan devices, for floating-point dtypes.
//
//   TANDEM_RETURN_IF_ERROR(RegisterSoftmaxKernels(&registry));
//
// Thread rules: register before use; the kernels may be prepared and recorded in many threads at
// once.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_SOFTMAX_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_SOFTMAX_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterSoftmaxKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_SOFTMAX_H_
