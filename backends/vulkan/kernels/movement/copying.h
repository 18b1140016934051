// identity: contiguous copies of tensors with any strides, for every dtype. It is what makes inputs
// contiguous for kernels that need it.
//
// Two kernels: `transpose`, where the input is contiguous along another axis than the last one, goes
// through tiles in shared memory, so that reads and writes both touch whole cache lines; `copy` takes
// all others, in units of up to 16 bytes where the innermost axes are contiguous. Both move memory
// and compute with no dtype, so they also serve those that the device cannot compute with.
//
// Thread rules: call before the registry is used.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_COPYING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_COPYING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterCopyingKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_COPYING_H_
