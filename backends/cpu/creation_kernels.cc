#include "tandem/backends/cpu/creation_kernels.h"

#include <algorithm>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/tile_vm.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {
namespace {

constexpr int64_t kTile = 512;

// f64 to a dtype, as the op cast does it.
struct FromDouble {
  TileFn cast;
  TileFn store;  // null: the compute type is the dtype
  int64_t element_size;

  static FromDouble To(DType dtype, Isa isa) {
    return {FindCast(isa, ScalarType::kF64, ComputeType(dtype)), FindStore(isa, dtype),
            DTypeSize(dtype)};
  }
  // n <= kTile.
  void Convert(const double* values, int64_t n, std::byte* out) const {
    if (store == nullptr) {
      cast(values, nullptr, nullptr, out, n);
      return;
    }
    alignas(64) std::byte computed[kTile * sizeof(double)];
    cast(values, nullptr, nullptr, computed, n);
    store(computed, nullptr, nullptr, out, n);
  }
};

struct FullParams {
  int64_t n;
  int64_t element_size;
  uint64_t bits;
  TileFn fill;
};

void RunFull(const FullParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  pool.ParallelFor(p.n, kParallelWork, [&](int64_t begin, int64_t end) {
    p.fill(&p.bits, nullptr, nullptr, buffers[0] + begin * p.element_size, end - begin);
  });
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareFull(const KernelRequest& request) {
  const TensorSpec& spec = request.outputs[0].spec;
  const Isa isa = IsaOf(request.device);
  const double value = request.attrs.Double("value");
  FullParams params{spec.shape.num_elements(), DTypeSize(spec.dtype), 0,
                    FindCopy(isa, DTypeSize(spec.dtype), /*uniform=*/true)};
  FromDouble::To(spec.dtype, isa).Convert(&value, 1, reinterpret_cast<std::byte*>(&params.bits));
  return MakeCpuKernel("full", params, RunFull);
}

struct ArangeParams {
  int64_t n;
  double start, step;
  FromDouble convert;
};

void RunArange(const ArangeParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  pool.ParallelFor(p.n, 16 * kTile, [&](int64_t begin, int64_t end) {
    alignas(64) double values[kTile];
    for (int64_t i = begin; i < end; i += kTile) {
      const int64_t n = std::min(kTile, end - i);
      for (int64_t k = 0; k < n; ++k) values[k] = p.start + static_cast<double>(i + k) * p.step;
      p.convert.Convert(values, n, buffers[0] + i * p.convert.element_size);
    }
  });
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareArange(const KernelRequest& request) {
  const TensorSpec& spec = request.outputs[0].spec;
  const ArangeParams params{spec.shape.num_elements(), request.attrs.Double("start"),
                            request.attrs.Double("step"),
                            FromDouble::To(spec.dtype, IsaOf(request.device))};
  return MakeCpuKernel("arange", params, RunArange);
}

}  // namespace

absl::Status RegisterCreationKernels(KernelRegistry* kernels) {
  TANDEM_RETURN_IF_ERROR(kernels->Register(CpuKernelDef("full", "full", {}, PrepareFull)));
  return kernels->Register(CpuKernelDef("arange", "arange", {}, PrepareArange));
}

}  // namespace tandem::cpu_backend
