// Kernels for dtypes that are stored but not computed in: f16 and bf16 run the f32 kernel, i8, u8
// and i16 the i32 one, on converted copies in the workspace.
//
//   // `function` sees f32 buffers, whatever floating-point dtype the request has:
//   return MakeConvertedCpuKernel(request, "softmax", params, &SoftmaxF32);
//
// A request whose buffers need no conversion gets the plain kernel, at no cost. The inputs that are
// converted must be contiguous, so a kernel for these dtypes does not take strided inputs.
// Thread rules: as in cpu_kernel.h.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_CONVERTED_KERNEL_H_
#define TANDEM_BACKENDS_CPU_KERNELS_CONVERTED_KERNEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {

// The dtype that elements of `dtype` are computed in; bool stays bool.
constexpr DType ComputeDType(DType dtype) {
  switch (dtype) {
    case DType::kF16:
    case DType::kBF16:
      return DType::kF32;
    case DType::kI8:
    case DType::kU8:
    case DType::kI16:
      return DType::kI32;
    default:
      return dtype;
  }
}

// Which of a kernel's buffers are converted, and where in the workspace their copies lie.
struct ConversionPlan {
  static constexpr int kMaxBuffers = 12;
  struct Entry {
    int64_t elements = 0;
    int64_t offset = 0;  // bytes
    DType dtype = DType::kF32;
    bool convert = false;
  };
  std::array<Entry, kMaxBuffers> entries;
  int inputs = 0;
  int outputs = 0;
  bool any = false;
  int64_t inner_workspace = 0;  // offset of the kernel's own workspace, bytes
  int64_t workspace_bytes = 0;

  // Integers are converted only if `integers` says so: most kernels treat them as they are.
  static absl::StatusOr<ConversionPlan> Create(const KernelRequest& request, bool integers,
                                               int64_t inner_workspace_bytes);
};

// Elements of `dtype` to its compute dtype, and back (rounding, or wrapping).
void ConvertToCompute(DType dtype, const std::byte* from, std::byte* to, int64_t elements,
                      CpuThreadPool& pool);
void ConvertFromCompute(DType dtype, const std::byte* from, std::byte* to, int64_t elements,
                        CpuThreadPool& pool);

namespace internal {

template <typename Params>
struct ConvertedParams {
  Params inner;
  CpuKernelFunction<Params> function;
  std::string (*describe)(const Params& params);
  ConversionPlan plan;
};

template <typename Params>
void RunConverted(const ConvertedParams<Params>& p, std::byte* const* buffers,
                  CpuThreadPool& pool) {
  const int count = p.plan.inputs + p.plan.outputs;
  std::byte* inner[ConversionPlan::kMaxBuffers + 1];
  std::byte* const workspace = buffers[count];
  for (int i = 0; i < count; ++i) {
    const ConversionPlan::Entry& entry = p.plan.entries[i];
    inner[i] = entry.convert ? workspace + entry.offset : buffers[i];
    if (entry.convert && i < p.plan.inputs) {
      ConvertToCompute(entry.dtype, buffers[i], inner[i], entry.elements, pool);
    }
  }
  inner[count] = workspace + p.plan.inner_workspace;
  p.function(p.inner, inner, pool);
  for (int i = p.plan.inputs; i < count; ++i) {
    const ConversionPlan::Entry& entry = p.plan.entries[i];
    if (entry.convert) {
      ConvertFromCompute(entry.dtype, inner[i], buffers[i], entry.elements, pool);
    }
  }
}

template <typename Params>
std::string DescribeConverted(const ConvertedParams<Params>& p) {
  return p.describe != nullptr ? p.describe(p.inner) + ", converted" : "converted";
}

}  // namespace internal

// RESOURCE_EXHAUSTED if the copies would not fit any memory.
template <typename Params>
absl::StatusOr<Ref<const PreparedKernel>> MakeConvertedCpuKernel(
    const KernelRequest& request, const char* name, const Params& params,
    std::type_identity_t<CpuKernelFunction<Params>> function,
    const std::type_identity_t<CpuKernelOptions<Params>>& options = {}, bool integers = false) {
  bool any = false;
  const auto look = [&](const TensorLayout& layout) {
    const DType dtype = layout.spec.dtype;
    any = any || (ComputeDType(dtype) != dtype && (integers || IsFloating(dtype)));
  };
  for (const TensorLayout& layout : request.inputs) look(layout);
  for (const TensorLayout& layout : request.outputs) look(layout);
  if (!any) return MakeCpuKernel(name, params, function, options);
  TANDEM_ASSIGN_OR_RETURN(const ConversionPlan plan,
                          ConversionPlan::Create(request, integers, options.workspace_bytes));
  return MakeCpuKernel(
      name, internal::ConvertedParams<Params>{params, function, options.describe, plan},
      &internal::RunConverted<Params>,
      {.workspace_bytes = plan.workspace_bytes, .describe = &internal::DescribeConverted<Params>});
}

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_CONVERTED_KERNEL_H_
