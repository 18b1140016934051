#include "tandem/backends/cpu/kernels/placing.h"

#include <algorithm>
#include <cstring>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/element_value.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/slice_geometry.h"

namespace tandem::cpu_backend {
namespace {

// Element j of the input, along an axis, is element begin + j * step of the result.
struct PlaceAxis {
  int64_t size = 1;   // of the result
  int64_t count = 1;  // of the input
  int64_t begin = 0;
  int64_t step = 1;

  // The input's index for index `i` of the result; -1 if there is none.
  int64_t Source(int64_t i) const {
    const int64_t distance = i - begin;
    if (distance % step != 0) return -1;
    const int64_t j = distance / step;
    return j >= 0 && j < count ? j : -1;
  }
};

struct PlaceParams {
  PlaceAxis axes[kMaxRank];
  int rank = 0;
  ElementValue rest;  // where there is no input
};

template <typename T>
void PlaceRow(const PlaceAxis& axis, const std::byte* input, std::byte* output) {
  const T* from = reinterpret_cast<const T*>(input);
  T* to = reinterpret_cast<T*>(output);
  for (int64_t j = 0; j < axis.count; ++j) to[axis.begin + j * axis.step] = from[j];
}

void Place(const PlaceParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const std::byte* input = buffers[0];
  std::byte* output = buffers[1];
  const PlaceAxis last = p.axes[p.rank - 1];
  const int64_t element = p.rest.size;
  int64_t rows = 1;
  for (int i = 0; i + 1 < p.rank; ++i) rows *= p.axes[i].size;
  pool.ParallelFor(rows, GrainFor(last.size + 16), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      std::byte* out = output + row * last.size * element;
      int64_t rest = row, source = 0, scale = 1;
      for (int i = p.rank - 2; i >= 0 && source >= 0; --i) {
        const int64_t index = p.axes[i].Source(rest % p.axes[i].size);
        rest /= p.axes[i].size;
        source = index < 0 ? -1 : source + index * scale;
        scale *= p.axes[i].count;
      }
      if (source < 0 || last.count == 0) {
        p.rest.Fill(out, last.size);
        continue;
      }
      const std::byte* in = input + source * last.count * element;
      if (last.step == 1) {
        p.rest.Fill(out, last.begin);
        std::memcpy(out + last.begin * element, in, last.count * element);
        const int64_t behind = last.begin + last.count;
        p.rest.Fill(out + behind * element, last.size - behind);
        continue;
      }
      p.rest.Fill(out, last.size);
      switch (element) {
        case 1:
          PlaceRow<uint8_t>(last, in, out);
          break;
        case 2:
          PlaceRow<uint16_t>(last, in, out);
          break;
        case 4:
          PlaceRow<uint32_t>(last, in, out);
          break;
        default:
          PlaceRow<uint64_t>(last, in, out);
          break;
      }
    }
  });
}

// A scalar is one row of one element.
Ref<const PreparedKernel> MakePlace(PlaceParams params) {
  if (params.rank == 0) params.rank = 1;
  return MakeCpuKernel("place", params, &Place);
}

absl::StatusOr<Ref<const PreparedKernel>> PreparePad(const KernelRequest& request) {
  const TensorSpec& x = request.inputs[0].spec;
  const TensorSpec& y = request.outputs[0].spec;
  PlaceParams params;
  params.rank = x.shape.rank();
  params.rest = ElementValue::Of(x.dtype, request.attrs.Double("value"));
  for (int i = 0; i < params.rank; ++i) {
    params.axes[i] = {y.shape[i], x.shape[i], request.attrs.Ints("before")[i], 1};
  }
  return MakePlace(params);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareSliceBackward(const KernelRequest& request) {
  const TensorSpec& y = request.outputs[0].spec;
  TANDEM_ASSIGN_OR_RETURN(
      const SliceGeometry slice,
      SliceGeometry::Create(y.shape, request.attrs.Ints("begin"), request.attrs.Ints("end"),
                            request.attrs.Ints("strides")));
  PlaceParams params;
  params.rank = y.shape.rank();
  params.rest = ElementValue::Of(y.dtype, 0);
  for (int i = 0; i < params.rank; ++i) {
    params.axes[i] = {y.shape[i], slice.size[i], slice.begin[i], slice.stride[i]};
  }
  return MakePlace(params);
}

}  // namespace

absl::Status RegisterPlacingKernels(KernelRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(registry->Register(CpuKernelDef("pad", "pad", {}, &PreparePad)));
  return registry->Register(
      CpuKernelDef("slice_backward", "slice_backward", {}, &PrepareSliceBackward));
}

}  // namespace tandem::cpu_backend
