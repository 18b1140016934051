// Kernels of full and arange.
//
//   TANDEM_RETURN_IF_ERROR(RegisterCreationKernels(&kernels));
#ifndef TANDEM_BACKENDS_CPU_CREATION_KERNELS_H_
#define TANDEM_BACKENDS_CPU_CREATION_KERNELS_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterCreationKernels(KernelRegistry* kernels);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_CREATION_KERNELS_H_
