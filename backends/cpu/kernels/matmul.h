// The op matmul on the CPU: products of strided, transposed and broadcast batches of matrices.
//
//   TANDEM_RETURN_IF_ERROR(RegisterMatmulKernels(&registry));
//
// f32, f64, i32 and i64 are read where they are, whatever their strides; f16 and bf16 are computed
// in f32, i8, u8 and i16 in i32, through copies in the workspace.
// Thread rules: register before use; the kernels may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_MATMUL_H_
#define TANDEM_BACKENDS_CPU_KERNELS_MATMUL_H_

#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

absl::Status RegisterMatmulKernels(KernelRegistry* registry);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_MATMUL_H_
