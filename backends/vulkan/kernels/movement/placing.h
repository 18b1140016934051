// pad and slice_backward: the input placed in a larger tensor of one value.
//
// Thread rules: call before the registry is used.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_PLACING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_PLACING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterPlacingKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_PLACING_H_
