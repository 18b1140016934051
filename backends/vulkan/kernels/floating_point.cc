#include "tandem/backends/vulkan/kernels/floating_point.h"

#include "tandem/backends/vulkan/vulkan_device.h"

namespace tandem::vulkan_backend {

bool ComputesFloatsOfInput(const KernelRequest& request) {
  const DType dtype = request.inputs[0].spec.dtype;
  return !IsFloating(dtype) ||
         static_cast<const VulkanDevice&>(request.device).capabilities().Computes(dtype);
}

}  // namespace tandem::vulkan_backend
