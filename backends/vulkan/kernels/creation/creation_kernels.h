// Vulkan kernels that make tensors from nothing: full, arange.
//
// Thread rules: see elementwise.h.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CREATION_CREATION_KERNELS_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CREATION_CREATION_KERNELS_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterCreationKernels(KernelRegistry* kernels);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CREATION_CREATION_KERNELS_H_
