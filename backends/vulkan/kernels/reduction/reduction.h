// Reductions on Vulkan devices: sum, mean, prod, max, min over any axes of a tensor of any strides,
// and argmax and argmin along one axis.
//
//   TANDEM_RETURN_IF_ERROR(RegisterReductionKernels(&registry));
//
// Integers are summed and multiplied in 64 bits, as pairs of words, so that no device needs 64-bit
// integers. The order of a sum follows from the layout and the device alone.
// Thread rules: register before use; the kernels may be prepared and recorded in many threads at
// once.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_REDUCTION_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_REDUCTION_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterReductionKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_REDUCTION_H_
