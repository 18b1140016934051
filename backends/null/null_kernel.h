// The kernel of every op on the null device: one dispatch that reads the inputs and writes the
// outputs.
//
//   TANDEM_RETURN_IF_ERROR(RegisterNullKernel(&kernels));
//
// Thread rules: those of the registry.
#ifndef TANDEM_BACKENDS_NULL_NULL_KERNEL_H_
#define TANDEM_BACKENDS_NULL_NULL_KERNEL_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::null_backend {

absl::Status RegisterNullKernel(KernelRegistry* kernels);

}  // namespace tandem::null_backend

#endif  // TANDEM_BACKENDS_NULL_NULL_KERNEL_H_
