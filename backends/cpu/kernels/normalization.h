// batch_norm and layer_norm on the CPU, for floating-point dtypes; statistics are gathered in f64.
//
//   TANDEM_RETURN_IF_ERROR(RegisterNormalizationKernels(&registry));
//
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_NORMALIZATION_H_
#define TANDEM_BACKENDS_CPU_KERNELS_NORMALIZATION_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterNormalizationKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_NORMALIZATION_H_
