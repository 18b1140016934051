// pad and slice_backward on the CPU, for any dtype: a tensor placed inside of a larger one.
//
//   TANDEM_RETURN_IF_ERROR(RegisterPlacingKernels(&registry));
//
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_PLACING_H_
#define TANDEM_BACKENDS_CPU_KERNELS_PLACING_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterPlacingKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_PLACING_H_
