// concat and stack: three inputs in a dispatch, any number of inputs in several.
//
// Thread rules: call before the registry is used.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_JOINING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_JOINING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterJoiningKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_JOINING_H_
