// Elementwise kernels: one serves every op that has a scalar expression, identity and cast (and so
// all copies of strided tensors) among them.
//
// An op's expression is printed as GLSL and compiled once for its dtypes and the kind of its layouts
// (glsl_printer.h); Prepare then looks the shader up and computes parameters. Inputs may be broadcast
// and strided, and the output may lie exactly on an input of its dtype and shape.
//
//   TANDEM_RETURN_IF_ERROR(RegisterElementwiseKernels(&kernels));
//
// Thread rules: Prepare from any thread; kernels are immutable.
#ifndef TANDEM_BACKENDS_VULKAN_ELEMENTWISE_ELEMENTWISE_H_
#define TANDEM_BACKENDS_VULKAN_ELEMENTWISE_ELEMENTWISE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::vulkan_backend {

// Registers the kernel for the ops "*" that have a scalar expression and one output. It is not
// offered for expressions in types that the device lacks.
absl::Status RegisterElementwiseKernels(KernelRegistry* kernels);

// A kernel for one use of such an op.
absl::StatusOr<Ref<const PreparedKernel>> PrepareElementwise(const KernelRequest& request);

// A kernel for an expression itself, such as a fused chain, with any number of outputs of one shape:
// one dispatch. `width`: elements that an invocation computes, 1 or 4; 0 is what suits the length
// of the expression. INVALID_ARGUMENT if the layouts do not fit the expression, UNIMPLEMENTED if the device
// lacks a type of it, RESOURCE_EXHAUSTED if they are too large.
absl::StatusOr<Ref<const PreparedKernel>> PrepareExpression(const ScalarExpr& expr,
                                                            absl::Span<const TensorLayout> inputs,
                                                            absl::Span<const TensorLayout> outputs,
                                                            VulkanDevice& device, int width = 0);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_ELEMENTWISE_ELEMENTWISE_H_
