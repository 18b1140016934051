#include "tandem/backends/cpu/kernels/converted_kernel.h"

#include <algorithm>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/base/checked_math.h"

namespace tandem::cpu_backend {
namespace {

template <typename T>
using ComputeOf = std::conditional_t<std::is_integral_v<T>, int32_t, float>;

// Calls fn(T()) for the dtypes that have another compute dtype.
template <typename Fn>
void DispatchStored(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kF16:
      return fn(Half());
    case DType::kBF16:
      return fn(BFloat16());
    case DType::kI8:
      return fn(int8_t());
    case DType::kU8:
      return fn(uint8_t());
    case DType::kI16:
      return fn(int16_t());
    default:
      return;
  }
}

}  // namespace

absl::StatusOr<ConversionPlan> ConversionPlan::Create(const KernelRequest& request, bool integers,
                                                      int64_t inner_workspace_bytes) {
  ConversionPlan plan;
  plan.inputs = static_cast<int>(request.inputs.size());
  plan.outputs = static_cast<int>(request.outputs.size());
  if (plan.inputs + plan.outputs > kMaxBuffers) {
    return absl::UnimplementedError(absl::StrCat(request.op.name, ": ", plan.inputs + plan.outputs,
                                                 " buffers, of which at most ", kMaxBuffers,
                                                 " can be converted"));
  }
  int64_t at = 0;
  for (int i = 0; i < plan.inputs + plan.outputs; ++i) {
    const TensorSpec& spec =
        (i < plan.inputs ? request.inputs[i] : request.outputs[i - plan.inputs]).spec;
    Entry& entry = plan.entries[i];
    entry.dtype = spec.dtype;
    entry.elements = spec.shape.num_elements();
    entry.convert = ComputeDType(spec.dtype) != spec.dtype && (integers || IsFloating(spec.dtype));
    if (!entry.convert) continue;
    plan.any = true;
    entry.offset = at;
    TANDEM_ASSIGN_OR_RETURN(const int64_t bytes,
                            CheckedMul(entry.elements, DTypeSize(ComputeDType(spec.dtype))));
    TANDEM_ASSIGN_OR_RETURN(at, CheckedAdd(at, bytes));
    TANDEM_ASSIGN_OR_RETURN(at, CheckedAlignUp(at, 64));
  }
  plan.inner_workspace = at;
  TANDEM_ASSIGN_OR_RETURN(plan.workspace_bytes, CheckedAdd(at, inner_workspace_bytes));
  plan.workspace_bytes = std::max<int64_t>(plan.workspace_bytes, 64);
  return plan;
}

void ConvertToCompute(DType dtype, const std::byte* from, std::byte* to, int64_t elements,
                      CpuThreadPool& pool) {
  DispatchStored(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* x = reinterpret_cast<const T*>(from);
    auto* y = reinterpret_cast<ComputeOf<T>*>(to);
    pool.ParallelFor(elements, kParallelWork, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = x[i];
    });
  });
}

void ConvertFromCompute(DType dtype, const std::byte* from, std::byte* to, int64_t elements,
                        CpuThreadPool& pool) {
  DispatchStored(dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* x = reinterpret_cast<const ComputeOf<T>*>(from);
    T* y = reinterpret_cast<T*>(to);
    pool.ParallelFor(elements, kParallelWork, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = static_cast<T>(x[i]);
    });
  });
}

}  // namespace tandem::cpu_backend
