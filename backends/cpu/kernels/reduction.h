// Reductions on the CPU: sum, mean, prod, max, min over any axes of a tensor of any strides, and
// argmax and argmin along one axis.
//
//   TANDEM_RETURN_IF_ERROR(RegisterReductionKernels(&registry));
//
// Sums of floating-point elements are gathered in f64, so that their error is that of adding some
// tens of terms, however many there are. The order of a sum follows from the layout alone, never
// from the number of threads. Thread rules: register before use; the kernels may run in many
// threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_REDUCTION_H_
#define TANDEM_BACKENDS_CPU_KERNELS_REDUCTION_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterReductionKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_REDUCTION_H_
