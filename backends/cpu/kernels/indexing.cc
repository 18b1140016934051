#include "tandem/backends/cpu/kernels/indexing.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/element_value.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::cpu_backend {
namespace {

// Integers of any width, read one by one.
struct IndexReader {
  DType dtype;
  int64_t count;

  int64_t operator()(const std::byte* indices, int64_t i) const {
    switch (dtype) {
      case DType::kI8:
        return reinterpret_cast<const int8_t*>(indices)[i];
      case DType::kU8:
        return reinterpret_cast<const uint8_t*>(indices)[i];
      case DType::kI16:
        return reinterpret_cast<const int16_t*>(indices)[i];
      case DType::kI32:
        return reinterpret_cast<const int32_t*>(indices)[i];
      default:
        return reinterpret_cast<const int64_t*>(indices)[i];
    }
  }
};

IndexReader ReaderOf(const TensorLayout& layout) {
  return {layout.spec.dtype, layout.spec.shape.num_elements()};
}

bool HasIntegerIndices(const KernelRequest& request) {
  return IsInteger(request.inputs[request.inputs.size() - 1].spec.dtype);
}

// --- gather ---------------------------------------------------------------------------------------

struct GatherParams {
  IndexReader indices;
  int64_t outer, size, run;  // run: bytes of one slice
};

void Gather(const GatherParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const std::byte* x = buffers[0];
  std::byte* y = buffers[2];
  const int64_t count = p.indices.count;
  pool.ParallelFor(p.outer * count, GrainFor(p.run / 4 + 4), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t index = std::clamp<int64_t>(p.indices(buffers[1], i % count), 0, p.size - 1);
      std::memcpy(y + i * p.run, x + (i / count * p.size + index) * p.run, p.run);
    }
  });
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareGather(const KernelRequest& request) {
  const TensorSpec& x = request.inputs[0].spec;
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis,
                          AxisGeometry::Create(x.shape, request.attrs.Int("axis")));
  const GatherParams params = {ReaderOf(request.inputs[1]), axis.outer, axis.size,
                               axis.inner * DTypeSize(x.dtype)};
  return MakeCpuKernel("gather", params, &Gather);
}

// --- gather_backward ------------------------------------------------------------------------------

struct ScatterParams {
  IndexReader indices;
  int64_t outer, size, inner;
};

// Every slice of dx is added to by one thread, in the order of the indices: threads share out the
// columns and the outer indices, never the indices.
template <typename T>
void ScatterAdd(const ScatterParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  using Sum = std::conditional_t<std::is_integral_v<T> && !std::is_same_v<T, bool>,
                                 std::make_unsigned_t<std::conditional_t<
                                     std::is_integral_v<T> && !std::is_same_v<T, bool>, T, int>>,
                                 T>;
  const T* grad = At<const T>(buffers[0]);
  T* dx = At<T>(buffers[2]);
  constexpr int64_t kColumns = 64;
  const int64_t blocks = (p.inner + kColumns - 1) / kColumns;
  const int64_t count = p.indices.count;
  const int64_t work = (p.size + 2 * count) * std::min(kColumns, p.inner);
  pool.ParallelFor(p.outer * blocks, GrainFor(work), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t outer = task / blocks;
      const int64_t column = task % blocks * kColumns;
      const int64_t width = std::min(kColumns, p.inner - column);
      T* slices = dx + outer * p.size * p.inner + column;
      const T* grads = grad + outer * count * p.inner + column;
      for (int64_t i = 0; i < p.size; ++i) std::fill_n(slices + i * p.inner, width, T());
      for (int64_t i = 0; i < count; ++i) {
        const int64_t index = std::clamp<int64_t>(p.indices(buffers[1], i), 0, p.size - 1);
        T* to = slices + index * p.inner;
        const T* from = grads + i * p.inner;
        for (int64_t j = 0; j < width; ++j) {
          to[j] = static_cast<T>(static_cast<Sum>(to[j]) + static_cast<Sum>(from[j]));
        }
      }
    }
  });
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareGatherBackward(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(
      const AxisGeometry axis,
      AxisGeometry::Create(request.outputs[0].spec.shape, request.attrs.Int("axis")));
  const ScatterParams params = {ReaderOf(request.inputs[1]), axis.outer, axis.size, axis.inner};
  switch (request.inputs[0].spec.dtype) {
    case DType::kF64:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<double>);
    case DType::kI8:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<int8_t>);
    case DType::kU8:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<uint8_t>);
    case DType::kI16:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<int16_t>);
    case DType::kI32:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<int32_t>);
    case DType::kI64:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<int64_t>);
    case DType::kBool:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<bool>);
    default:
      return MakeConvertedCpuKernel(request, "gather_backward", params, &ScatterAdd<float>);
  }
}

// --- one_hot --------------------------------------------------------------------------------------

struct OneHotParams {
  IndexReader indices;
  int64_t depth;
  ElementValue on, off;
};

void OneHot(const OneHotParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const int64_t row = p.depth * p.on.size;
  pool.ParallelFor(p.indices.count, GrainFor(p.depth + 4), [&](int64_t begin, int64_t end) {
    p.off.Fill(buffers[1] + begin * row, (end - begin) * p.depth);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t index = p.indices(buffers[0], i);
      if (index < 0 || index >= p.depth) continue;
      std::memcpy(buffers[1] + i * row + index * p.on.size, p.on.bytes, p.on.size);
    }
  });
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareOneHot(const KernelRequest& request) {
  const DType dtype = request.outputs[0].spec.dtype;
  const OneHotParams params = {ReaderOf(request.inputs[0]), request.outputs[0].spec.shape.back(),
                               ElementValue::Of(dtype, request.attrs.Double("on")),
                               ElementValue::Of(dtype, request.attrs.Double("off"))};
  return MakeCpuKernel("one_hot", params, &OneHot);
}

}  // namespace

absl::Status RegisterIndexingKernels(KernelRegistry* registry) {
  struct Entry {
    const char* op;
    absl::StatusOr<Ref<const PreparedKernel>> (*prepare)(const KernelRequest&);
  };
  static constexpr Entry kEntries[] = {{"gather", &PrepareGather},
                                       {"gather_backward", &PrepareGatherBackward},
                                       {"one_hot", &PrepareOneHot}};
  for (const Entry& entry : kEntries) {
    KernelDef def = CpuKernelDef(entry.op, entry.op, {}, entry.prepare);
    def.supports = &HasIntegerIndices;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  return absl::OkStatus();
}

}  // namespace tandem::cpu_backend
