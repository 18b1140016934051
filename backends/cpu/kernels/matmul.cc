#include "tandem/backends/cpu/kernels/matmul.h"

#include <string>
#include <utility>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/matmul_plan.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {
namespace {

template <typename T>
std::string Describe(const MatmulPlan<T>& p) {
  return p.Describe();
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareAs(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const MatmulPlan<T> params,
                          MatmulPlan<T>::Create(request.inputs[0], request.inputs[1], request.attrs,
                                                IsaOf(request.device)));
  return MakeConvertedCpuKernel<MatmulPlan<T>>(
      request, "matmul", params,
      [](const MatmulPlan<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
        p.Multiply(At<const T>(buffers[0]), At<const T>(buffers[1]), At<T>(buffers[2]), pool);
      },
      {.describe = &Describe<T>}, /*integers=*/true);
}

absl::StatusOr<Ref<const PreparedKernel>> Prepare(const KernelRequest& request) {
  switch (ComputeDType(request.inputs[0].spec.dtype)) {
    case DType::kF64:
      return PrepareAs<double>(request);
    // Signed overflow wraps, as unsigned arithmetic does.
    case DType::kI32:
      return PrepareAs<uint32_t>(request);
    case DType::kI64:
      return PrepareAs<uint64_t>(request);
    default:
      return PrepareAs<float>(request);
  }
}

bool SameDTypes(const KernelRequest& request) {
  const DType dtype = request.inputs[0].spec.dtype;
  return request.inputs[1].spec.dtype == dtype && request.outputs[0].spec.dtype == dtype;
}

}  // namespace

absl::Status RegisterMatmulKernels(KernelRegistry* registry) {
  KernelDef direct = CpuKernelDef("matmul", "matmul",
                                  {DType::kF32, DType::kF64, DType::kI32, DType::kI64}, &Prepare);
  direct.strided_inputs = true;
  direct.supports = &SameDTypes;
  TANDEM_RETURN_IF_ERROR(registry->Register(std::move(direct)));
  KernelDef converted =
      CpuKernelDef("matmul", "matmul_converted",
                   {DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16}, &Prepare);
  converted.supports = &SameDTypes;
  return registry->Register(std::move(converted));
}

}  // namespace tandem::cpu_backend
