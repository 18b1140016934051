// softmax, log_softmax and cross_entropy on the CPU, for floating-point dtypes.
//
//   TANDEM_RETURN_IF_ERROR(RegisterSoftmaxKernels(&registry));
//
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_SOFTMAX_H_
#define TANDEM_BACKENDS_CPU_KERNELS_SOFTMAX_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterSoftmaxKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_SOFTMAX_H_
