// conv2d, conv2d_backward_input and conv2d_backward_weight on the CPU, for floating-point dtypes, any
// stride, dilation, padding and number of groups. The method stands in convolution_planes.h.
//
//   TANDEM_RETURN_IF_ERROR(RegisterConvolutionKernels(&registry));
//
// Results do not depend on the number of threads: the gradient of the weight is summed over fixed
// parts of the batch, which are added in order.
// An infinity or NaN in x may make more elements of the weight's gradient NaN than those it takes
// part in, because idle positions are multiplied by zero.
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_H_
#define TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterConvolutionKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_H_
