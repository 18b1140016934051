// batch_norm and layer_norm on Vulkan devices, for floating-point dtypes.
//
//   TANDEM_RETURN_IF_ERROR(RegisterNormalizationKernels(&registry));
//
// Moments are computed in the compute type in two passes and corrected for the rounding of the mean.
// Thread rules: register before use; the kernels may be prepared and recorded in many threads at
// once.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_NORMALIZATION_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_NORMALIZATION_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterNormalizationKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_NORMALIZATION_H_
