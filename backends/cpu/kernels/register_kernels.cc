#include "tandem/backends/cpu/kernels/register_kernels.h"

#include "tandem/backends/cpu/kernels/convolution.h"
#include "tandem/backends/cpu/kernels/fused_contraction.h"
#include "tandem/backends/cpu/kernels/indexing.h"
#include "tandem/backends/cpu/kernels/joining.h"
#include "tandem/backends/cpu/kernels/matmul.h"
#include "tandem/backends/cpu/kernels/normalization.h"
#include "tandem/backends/cpu/kernels/placing.h"
#include "tandem/backends/cpu/kernels/pooling.h"
#include "tandem/backends/cpu/kernels/reduction.h"
#include "tandem/backends/cpu/kernels/softmax.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {

absl::Status RegisterStandardKernels(KernelRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(RegisterMatmulKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterFusedContractionKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterReductionKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterSoftmaxKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterConvolutionKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterPoolingKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterIndexingKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterJoiningKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterNormalizationKernels(registry));
  TANDEM_RETURN_IF_ERROR(RegisterPlacingKernels(registry));
  return absl::OkStatus();
}

}  // namespace tandem::cpu_backend
