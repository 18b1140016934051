// gather, gather_backward and one_hot on the CPU, for any dtype.
//
//   TANDEM_RETURN_IF_ERROR(RegisterIndexingKernels(&registry));
//
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_INDEXING_H_
#define TANDEM_BACKENDS_CPU_KERNELS_INDEXING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterIndexingKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_INDEXING_H_
