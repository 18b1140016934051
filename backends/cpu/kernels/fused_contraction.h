// The op fused on the CPU, where its body is a matrix product or a convolution and elementwise work on
// the result: a dense layer, or a convolutional one, with its bias and activation.
//
//   TANDEM_RETURN_IF_ERROR(RegisterFusedContractionKernels(&registry));
//
// The product is that of matmul.h or convolution.h; the rest is one elementwise program that runs over
// each part of the result as soon as that is final, in the thread and the cache that it was computed
// in. Both are the code that the single ops run, on the same values, so the bits are theirs. The
// product lies in the output where it has the output's dtype, else in the workspace.
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_FUSED_CONTRACTION_H_
#define TANDEM_BACKENDS_CPU_KERNELS_FUSED_CONTRACTION_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

// The kernels fused_matmul and fused_conv2d, and for dtypes that are not computed in, each with
// _converted behind it.
absl::Status RegisterFusedContractionKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_FUSED_CONTRACTION_H_
