// The op matmul on Vulkan devices: products of strided, transposed and broadcast batches of matrices.
//
//   TANDEM_RETURN_IF_ERROR(RegisterMatmulKernels(&registry));
//
// f32, f64, i32 and i64 are read where they are, whatever their strides; so are f16 and bf16 where
// the device can read 16 bits, with sums in f32. Otherwise those, and i8, u8 and i16 always, are
// converted first. How a product is cut into work groups stands in contraction.h.
//
// For fusing, a bias and an activation may follow the sums in the same pass:
//
//   // relu(a · b + bias): the request has the bias [n] as its input 2.
//   MatmulOptions options;
//   options.epilogue = {Epilogue::Bias::kColumn, Epilogue::Activation::kRelu};
//   TANDEM_ASSIGN_OR_RETURN(Ref<const PreparedKernel> kernel, PrepareMatmul(request, options));
//
// Errors: UNIMPLEMENTED for an operand whose elements 32-bit indices do not reach, and for an
// activation that the dtype does not have.
// Thread rules: register before use; all else from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_MATMUL_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_MATMUL_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/kernels/contraction/contraction.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

absl::Status RegisterMatmulKernels(KernelRegistry* registry);

struct MatmulOptions {
  // kColumn: one element for each column of the result, or, if b is a vector, one for all.
  // kRow is for convolutions: INVALID_ARGUMENT.
  Epilogue epilogue;
  // Instead of what PlanContraction chooses: one of MatmulPlans.
  std::optional<ContractionPlan> plan;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareMatmul(const KernelRequest& request,
                                                        const MatmulOptions& options);

// Every plan that the device can run for this request.
absl::StatusOr<std::vector<ContractionPlan>> MatmulPlans(const KernelRequest& request);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_MATMUL_H_
