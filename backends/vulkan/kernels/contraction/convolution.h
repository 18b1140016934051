// conv2d, conv2d_backward_input and conv2d_backward_weight on Vulkan devices, for floating-point
// dtypes, any stride, dilation, padding and number of groups.
//
//   TANDEM_RETURN_IF_ERROR(RegisterConvolutionKernels(&registry));
//
// All three are products of matrices that are never built: the shader finds an element of the matrix
// of windows in the image itself (conv2d.comp). The gradient of the input is taken apart by the
// stride: the rows and columns of x that are the same modulo the stride meet the same taps, and are a
// convolution of stride 1 by themselves. Depthwise convolutions are one small product a channel,
// summed by a thread for each element.
//
// f32 and f64 are read where they are, f16 and bf16 too where the device can read 16 bits, with sums
// in f32; otherwise they are converted first. Sums have a fixed order: the same bits in every run.
// Padding takes part as zeros: an infinite weight times a padded element is NaN, as on the CPU.
// Errors: UNIMPLEMENTED for tensors and padded images beyond 32-bit indices.
// Thread rules: register before use; all else from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONVOLUTION_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONVOLUTION_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/kernels/contraction/contraction.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterConvolutionKernels(KernelRegistry* registry);

struct ConvolutionOptions {
  // Of conv2d alone. kRow: one element for each output channel, the request's input 2.
  Epilogue epilogue;
  // Instead of what PlanContraction chooses: one of ConvolutionPlans.
  std::optional<ContractionPlan> plan;
};

// For a request of one of the three ops.
absl::StatusOr<Ref<const PreparedKernel>> PrepareConvolution(const KernelRequest& request,
                                                             const ConvolutionOptions& options);

// Every plan that the device can run for this request.
absl::StatusOr<std::vector<ContractionPlan>> ConvolutionPlans(const KernelRequest& request);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_CONVOLUTION_H_
