// Kernels of random_uniform, random_normal, random_bernoulli and dropout.
//
// All draw from Philox 4x32-10 (philox.h): block i of a draw has the counter offset + delta + i and
// the key seed, where (seed, offset) is the tensor `state`; element e takes word e % 4 of block
// e / 4. f64 is calculated in f64 from the same 24 bits; f16 and bf16 are f32 rounded.
//
//   TANDEM_RETURN_IF_ERROR(RegisterRandomKernels(&kernels));
#ifndef TANDEM_BACKENDS_CPU_RANDOM_KERNELS_H_
#define TANDEM_BACKENDS_CPU_RANDOM_KERNELS_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterRandomKernels(KernelRegistry* kernels);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_RANDOM_KERNELS_H_
