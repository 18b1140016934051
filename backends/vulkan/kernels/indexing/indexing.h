// gather, gather_backward and one_hot.
//
// Indices may have any integer dtype; 64-bit ones are read as pairs of words, so that no device
// needs 64-bit integers. Out of range, gather and its gradient take the nearest valid index, one_hot
// gives a row of `off` (core/ops/indexing.cc).
//
// Thread rules: call before the registry is used.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_INDEXING_INDEXING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_INDEXING_INDEXING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterIndexingKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_INDEXING_INDEXING_H_
