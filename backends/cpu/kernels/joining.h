// concat and stack on the CPU, for any dtype and any number of inputs.
//
//   TANDEM_RETURN_IF_ERROR(RegisterJoiningKernels(&registry));
//
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_JOINING_H_
#define TANDEM_BACKENDS_CPU_KERNELS_JOINING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterJoiningKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_JOINING_H_
