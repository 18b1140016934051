// All kernels of this folder: everything but elementwise, creation and random ops.
//
//   TANDEM_RETURN_IF_ERROR(RegisterStandardKernels(&registry));
//
// Thread rules: register before use.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_REGISTER_KERNELS_H_
#define TANDEM_BACKENDS_CPU_KERNELS_REGISTER_KERNELS_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterStandardKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_REGISTER_KERNELS_H_
