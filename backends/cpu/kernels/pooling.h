// max_pool2d, avg_pool2d and their gradients on the CPU, for floating-point dtypes.
//
//   TANDEM_RETURN_IF_ERROR(RegisterPoolingKernels(&registry));
//
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_POOLING_H_
#define TANDEM_BACKENDS_CPU_KERNELS_POOLING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterPoolingKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_POOLING_H_
