#include "tandem/backends/vulkan/register.h"

#include <memory>

#include "tandem/backends/vulkan/creation_kernels.h"
#include "tandem/backends/vulkan/elementwise.h"
#include "tandem/backends/vulkan/kernels/convolution.h"
#include "tandem/backends/vulkan/kernels/copying.h"
#include "tandem/backends/vulkan/kernels/indexing.h"
#include "tandem/backends/vulkan/kernels/joining.h"
#include "tandem/backends/vulkan/kernels/matmul.h"
#include "tandem/backends/vulkan/kernels/normalization.h"
#include "tandem/backends/vulkan/kernels/placing.h"
#include "tandem/backends/vulkan/kernels/pooling.h"
#include "tandem/backends/vulkan/kernels/reduction.h"
#include "tandem/backends/vulkan/kernels/softmax.h"
#include "tandem/backends/vulkan/random_kernels.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

absl::Status Register(BackendRegistry* backends, KernelRegistry* kernels) {
  TANDEM_RETURN_IF_ERROR(backends->Register(std::make_unique<VulkanBackend>()));
  for (const auto& register_kernels :
       {RegisterConvolutionKernels, RegisterCopyingKernels, RegisterCreationKernels,
        RegisterElementwiseKernels, RegisterIndexingKernels, RegisterJoiningKernels,
        RegisterMatmulKernels, RegisterNormalizationKernels, RegisterPlacingKernels,
        RegisterPoolingKernels, RegisterRandomKernels, RegisterReductionKernels,
        RegisterSoftmaxKernels}) {
    TANDEM_RETURN_IF_ERROR(register_kernels(kernels));
  }
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
