#include "tandem/backends/vulkan/register.h"

#include <memory>

#include "tandem/backends/vulkan/elementwise/elementwise.h"
#include "tandem/backends/vulkan/kernels/contraction/convolution.h"
#include "tandem/backends/vulkan/kernels/contraction/fused_matmul.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul.h"
#include "tandem/backends/vulkan/kernels/creation/creation_kernels.h"
#include "tandem/backends/vulkan/kernels/creation/random_kernels.h"
#include "tandem/backends/vulkan/kernels/indexing/indexing.h"
#include "tandem/backends/vulkan/kernels/movement/copying.h"
#include "tandem/backends/vulkan/kernels/movement/joining.h"
#include "tandem/backends/vulkan/kernels/movement/placing.h"
#include "tandem/backends/vulkan/kernels/pooling/pooling.h"
#include "tandem/backends/vulkan/kernels/reduction/normalization.h"
#include "tandem/backends/vulkan/kernels/reduction/reduction.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

absl::Status Register(BackendRegistry* backends, KernelRegistry* kernels) {
  TANDEM_RETURN_IF_ERROR(backends->Register(std::make_unique<VulkanBackend>()));
  for (const auto& register_kernels :
       {RegisterConvolutionKernels, RegisterCopyingKernels, RegisterCreationKernels,
        RegisterElementwiseKernels, RegisterFusedMatmulKernels, RegisterIndexingKernels,
        RegisterJoiningKernels, RegisterMatmulKernels, RegisterNormalizationKernels,
        RegisterPlacingKernels, RegisterPoolingKernels, RegisterRandomKernels,
        RegisterReductionKernels, RegisterSoftmaxKernels}) {
    TANDEM_RETURN_IF_ERROR(register_kernels(kernels));
  }
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
