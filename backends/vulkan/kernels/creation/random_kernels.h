// Vulkan kernels of the random ops: random_uniform, random_normal, random_bernoulli, dropout.
//
// Words come from Philox 4x32-10 as on every device, so masks and uniform numbers have the CPU's bits;
// normal numbers have them where the driver rounds correctly and has f64, and differ by a few ulp
// elsewhere. The state {seed, offset} is read as 32-bit words: no kernel needs 64-bit integers.
//
// Thread rules: see elementwise.h.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CREATION_RANDOM_KERNELS_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CREATION_RANDOM_KERNELS_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterRandomKernels(KernelRegistry* kernels);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CREATION_RANDOM_KERNELS_H_
