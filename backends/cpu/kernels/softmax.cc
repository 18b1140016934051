#include "tandem/backends/cpu/kernels/softmax.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/isa_table.h"
#include "tandem/backends/cpu/kernels/softmax_isa.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::cpu_backend {
namespace {

// exp is worth about this many cheap operations.
constexpr int64_t kWorkPerElement = 4;
// Neighbouring lines along an axis that is not the last, taken together.
constexpr int64_t kColumns = 64;

template <typename T>
struct SoftmaxParams {
  const SoftmaxKernels<T>* kernels;
  int64_t outer, size, inner;
  bool log;
};

template <typename T>
void Softmax(const SoftmaxParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const T* x = At<const T>(buffers[0]);
  T* y = At<T>(buffers[1]);
  if (p.size == 0) return;
  if (p.inner == 1) {
    pool.ParallelFor(p.outer, GrainFor(p.size * kWorkPerElement), [&](int64_t begin, int64_t end) {
      p.kernels->rows(x + begin * p.size, y + begin * p.size, end - begin, p.size, p.log);
    });
    return;
  }
  const int64_t blocks = (p.inner + kColumns - 1) / kColumns;
  const int64_t work = p.size * std::min(kColumns, p.inner) * kWorkPerElement;
  pool.ParallelFor(p.outer * blocks, GrainFor(work), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t column = task % blocks * kColumns;
      const int64_t at = task / blocks * p.size * p.inner + column;
      p.kernels->columns(x + at, y + at, std::min(kColumns, p.inner - column), p.size, p.inner,
                         p.log);
    }
  });
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareSoftmaxAs(const KernelRequest& request, bool log) {
  TANDEM_ASSIGN_OR_RETURN(
      const AxisGeometry axis,
      AxisGeometry::Create(request.inputs[0].spec.shape, request.attrs.Int("axis")));
  SoftmaxParams<T> params;
  params.kernels = &TANDEM_ISA_TABLE(SoftmaxKernels<T>, FillSoftmaxKernels, IsaOf(request.device));
  params.outer = axis.outer;
  params.size = axis.size;
  params.inner = axis.inner;
  params.log = log;
  return MakeConvertedCpuKernel<SoftmaxParams<T>>(request, "softmax", params, &Softmax<T>);
}

template <bool kLog>
absl::StatusOr<Ref<const PreparedKernel>> PrepareSoftmax(const KernelRequest& request) {
  if (request.inputs[0].spec.dtype == DType::kF64) return PrepareSoftmaxAs<double>(request, kLog);
  return PrepareSoftmaxAs<float>(request, kLog);
}

// --- cross_entropy
// --------------------------------------------------------------------------------

template <typename T>
struct CrossEntropyParams {
  const SoftmaxKernels<T>* kernels;
  int64_t rows, classes;
  DType labels;
};

template <typename T>
void CrossEntropy(const CrossEntropyParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const T* x = At<const T>(buffers[0]);
  T* loss = At<T>(buffers[2]);
  DispatchDType(p.labels, [&](auto zero) {
    using Label = decltype(zero);
    const Label* labels = At<const Label>(buffers[1]);
    pool.ParallelFor(p.rows, GrainFor(p.classes * kWorkPerElement),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i) {
                         loss[i] = p.kernels->cross_entropy_row(x + i * p.classes, p.classes,
                                                                static_cast<int64_t>(labels[i]));
                       }
                     });
  });
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareCrossEntropyAs(const KernelRequest& request) {
  CrossEntropyParams<T> params;
  params.kernels = &TANDEM_ISA_TABLE(SoftmaxKernels<T>, FillSoftmaxKernels, IsaOf(request.device));
  params.rows = request.outputs[0].spec.shape.num_elements();
  params.classes = request.inputs[0].spec.shape.back();
  params.labels = request.inputs[1].spec.dtype;
  return MakeConvertedCpuKernel<CrossEntropyParams<T>>(request, "cross_entropy", params,
                                                       &CrossEntropy<T>);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareCrossEntropy(const KernelRequest& request) {
  if (request.inputs[0].spec.dtype == DType::kF64) return PrepareCrossEntropyAs<double>(request);
  return PrepareCrossEntropyAs<float>(request);
}

bool HasIntegerLabels(const KernelRequest& request) {
  return IsInteger(request.inputs[1].spec.dtype);
}

}  // namespace

absl::Status RegisterSoftmaxKernels(KernelRegistry* registry) {
  const std::vector<DType> floats = {DType::kF32, DType::kF64, DType::kF16, DType::kBF16};
  TANDEM_RETURN_IF_ERROR(
      registry->Register(CpuKernelDef("softmax", "softmax", floats, &PrepareSoftmax<false>)));
  TANDEM_RETURN_IF_ERROR(registry->Register(
      CpuKernelDef("log_softmax", "log_softmax", floats, &PrepareSoftmax<true>)));
  KernelDef cross_entropy =
      CpuKernelDef("cross_entropy", "cross_entropy", floats, &PrepareCrossEntropy);
  cross_entropy.supports = &HasIntegerLabels;
  return registry->Register(std::move(cross_entropy));
}

}  // namespace tandem::cpu_backend
