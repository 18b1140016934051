// Elementwise kernels: one serves every op that has a scalar expression, identity and cast (and so
// all copies of strided tensors) among them.
//
// An op's expression is compiled once for its dtypes (elementwise_program.h) and kept per thread;
// Prepare then only looks at shapes. Inputs may be broadcast and strided, and the output may lie
// exactly on an input of its dtype and shape.
//
//   TANDEM_RETURN_IF_ERROR(RegisterElementwiseKernels(&kernels));
//
// Thread rules: Prepare from any thread; kernels are immutable.
#ifndef TANDEM_BACKENDS_CPU_ELEMENTWISE_H_
#define TANDEM_BACKENDS_CPU_ELEMENTWISE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/cpu/elementwise_program.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::cpu_backend {

// Registers the kernel for the ops "*" that have a scalar expression and one output.
absl::Status RegisterElementwiseKernels(KernelRegistry* kernels);

// A kernel for one use of such an op.
absl::StatusOr<Ref<const PreparedKernel>> PrepareElementwise(const KernelRequest& request);

// A kernel for an expression itself, with any number of outputs of one shape. INVALID_ARGUMENT if
// the layouts do not fit the expression.
absl::StatusOr<Ref<const PreparedKernel>> PrepareExpression(const ScalarExpr& expr,
                                                            absl::Span<const TensorLayout> inputs,
                                                            absl::Span<const TensorLayout> outputs,
                                                            Isa isa);

// An expression for given layouts, as the part of another kernel: ElementwiseRange runs it.
struct BoundExpression {
  Ref<const ElementwiseProgram> program;
  std::vector<uint64_t> constants;
};
// Outputs are never written past the caches. Same errors.
absl::StatusOr<BoundExpression> BindExpression(const ScalarExpr& expr,
                                               absl::Span<const TensorLayout> inputs,
                                               absl::Span<const TensorLayout> outputs, Isa isa);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_ELEMENTWISE_H_
