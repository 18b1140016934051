#include "tandem/backends/cpu/kernels/pooling.h"

#include <vector>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/isa_table.h"
#include "tandem/backends/cpu/kernels/pooling_isa.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/window.h"

namespace tandem::cpu_backend {
namespace {

template <typename T>
struct PoolParams {
  const PoolKernels<T>* kernels;
  PoolPlane plane;
  int64_t planes;
  int64_t in_elements, out_elements;  // of a plane
};

PoolAxis AxisOf(const WindowAxis& w) {
  return {w.input, w.kernel, w.stride, w.pad_before, w.pad_after, w.output};
}

template <typename T>
absl::StatusOr<PoolParams<T>> ParamsOf(const KernelRequest& request, const Shape& input) {
  TANDEM_ASSIGN_OR_RETURN(const Pool2dGeometry g, Pool2dGeometry::Create(input, request.attrs));
  PoolParams<T> p;
  p.kernels = &TANDEM_ISA_TABLE(PoolKernels<T>, FillPoolKernels, IsaOf(request.device));
  p.plane = {AxisOf(g.height), AxisOf(g.width), g.count_include_pad};
  p.planes = g.batch * g.channels;
  p.in_elements = g.height.input * g.width.input;
  p.out_elements = g.height.output * g.width.output;
  return p;
}

// Calls fn(plane) for every plane.
template <typename T, typename Fn>
void ForPlanes(const PoolParams<T>& p, CpuThreadPool& pool, Fn&& fn) {
  const int64_t work = p.in_elements + p.out_elements * 4;
  pool.ParallelFor(p.planes, GrainFor(work), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) fn(plane);
  });
}

template <bool kMax>
struct ForwardPool {
  template <typename T>
  static void Run(const PoolParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
    const T* x = At<const T>(buffers[0]);
    T* y = At<T>(buffers[1]);
    ForPlanes(p, pool, [&](int64_t plane) {
      (kMax ? p.kernels->max : p.kernels->average)(p.plane, x + plane * p.in_elements,
                                                   y + plane * p.out_elements);
    });
  }
};

struct MaxBackwardPool {
  template <typename T>
  static void Run(const PoolParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
    const T* grad = At<const T>(buffers[0]);
    const T* x = At<const T>(buffers[1]);
    T* dx = At<T>(buffers[2]);
    ForPlanes(p, pool, [&](int64_t plane) {
      p.kernels->max_backward(p.plane, grad + plane * p.out_elements, x + plane * p.in_elements,
                              dx + plane * p.in_elements);
    });
  }
};

struct AverageBackwardPool {
  template <typename T>
  static void Run(const PoolParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
    const T* grad = At<const T>(buffers[0]);
    T* dx = At<T>(buffers[1]);
    ForPlanes(p, pool, [&](int64_t plane) {
      p.kernels->average_backward(p.plane, grad + plane * p.out_elements,
                                  dx + plane * p.in_elements);
    });
  }
};

// kBackward: the input's shape is that of the result.
template <typename Pool, bool kBackward, typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareAs(const KernelRequest& request) {
  const TensorLayout& image = kBackward ? request.outputs[0] : request.inputs[0];
  TANDEM_ASSIGN_OR_RETURN(const PoolParams<T> params, ParamsOf<T>(request, image.spec.shape));
  return MakeConvertedCpuKernel<PoolParams<T>>(request, "pool", params, &Pool::template Run<T>);
}

template <typename Pool, bool kBackward>
absl::StatusOr<Ref<const PreparedKernel>> Prepare(const KernelRequest& request) {
  return request.inputs[0].spec.dtype == DType::kF64 ? PrepareAs<Pool, kBackward, double>(request)
                                                     : PrepareAs<Pool, kBackward, float>(request);
}

}  // namespace

absl::Status RegisterPoolingKernels(KernelRegistry* registry) {
  const std::vector<DType> floats = {DType::kF32, DType::kF64, DType::kF16, DType::kBF16};
  TANDEM_RETURN_IF_ERROR(registry->Register(
      CpuKernelDef("max_pool2d", "max_pool2d", floats, &Prepare<ForwardPool<true>, false>)));
  TANDEM_RETURN_IF_ERROR(registry->Register(CpuKernelDef(
      "max_pool2d_backward", "max_pool2d_backward", floats, &Prepare<MaxBackwardPool, true>)));
  TANDEM_RETURN_IF_ERROR(registry->Register(
      CpuKernelDef("avg_pool2d", "avg_pool2d", floats, &Prepare<ForwardPool<false>, false>)));
  return registry->Register(CpuKernelDef("avg_pool2d_backward", "avg_pool2d_backward", floats,
                                         &Prepare<AverageBackwardPool, true>));
}

}  // namespace tandem::cpu_backend
