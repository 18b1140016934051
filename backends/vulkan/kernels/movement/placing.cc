#include "tandem/backends/vulkan/kernels/movement/placing.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/kernels/movement/place_many_shaders.h"
#include "tandem/backends/vulkan/kernels/movement/place_shaders.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/slice_geometry.h"

namespace tandem::vulkan_backend {
namespace {

// Element j of the input, along an axis, is element begin + j * step of the result.
struct PlaceAxis {
  int64_t size = 1;   // of the result
  int64_t count = 1;  // of the input
  int64_t begin = 0;
  int64_t step = 1;

  bool whole() const { return size == count && begin == 0 && step == 1; }
};
using PlaceAxes = absl::InlinedVector<PlaceAxis, kMaxRank>;

// Push constants for up to `kMost` axes, the innermost first.
template <typename Size, int kMost>
struct PlaceConstants {
  struct Axis {
    Size size = Size(1);
    uint32_t count = 1;
    int32_t begin = 0;
    int32_t step = 1;
  };
  std::array<Axis, kMost> axes;

  explicit PlaceConstants(const PlaceAxes& from) {
    for (size_t i = 0; i < from.size(); ++i) {
      axes[i] = {static_cast<Size>(from[i].size), static_cast<uint32_t>(from[i].count),
                 static_cast<int32_t>(from[i].begin), static_cast<int32_t>(from[i].step)};
    }
  }
};
using FewAxes = PlaceConstants<FastDivisor, 5>;
using ManyAxes = PlaceConstants<uint32_t, kMaxRank>;
static_assert(sizeof(FewAxes) == 120 && sizeof(ManyAxes) == 128);

// Fewer axes for the same elements, the innermost first: an axis that is taken whole is one with
// the next outer axis, if that has no step.
PlaceAxes Merged(const PlaceAxes& axes) {
  PlaceAxes merged;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    if (axis->whole() && axis->size == 1) continue;
    if (!merged.empty() && merged.back().whole() && axis->step == 1) {
      const int64_t inner = merged.back().size;
      merged.back() = {axis->size * inner, axis->count * inner, axis->begin * inner, 1};
    } else {
      merged.push_back(*axis);
    }
  }
  if (merged.empty()) merged.emplace_back();
  return merged;
}

absl::StatusOr<Ref<const PreparedKernel>> Place(const KernelRequest& request,
                                                const PlaceAxes& all_axes, double value) {
  KernelBuilder b(request, request.op.name);
  const TensorSpec& x = request.inputs[0].spec;
  const TensorSpec& y = request.outputs[0].spec;
  if (y.shape.num_elements() == 0) return b.Finish();
  PlaceAxes axes = Merged(all_axes);
  PlaceAxis& last = axes[0];
  const Movement move = last.step == 1 ? Movement::OfRuns(b.capabilities(), y.dtype,
                                                          {last.size, last.count, last.begin})
                                       : Movement::OfElements(b.capabilities(), y.dtype);
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, move));
  last.size = move.Units(last.size);
  last.count = move.Units(last.count);
  last.begin = move.Units(last.begin);
  const std::array<uint32_t, 2> pattern = UnitPattern(move, y.dtype, value);
  const uint32_t group = GroupSize(b.capabilities());
  // An input without elements has no memory to bind; nothing is read from what is bound instead.
  const Operand from = x.shape.num_elements() > 0 ? b.InputAs(0, move.dtype) : b.Workspace(16);
  const Operand to = b.OutputAs(0, move.dtype);
  const bool stepped =
      std::any_of(axes.begin(), axes.end(), [](const PlaceAxis& axis) { return axis.step != 1; });
  const auto dispatch = [&](const Shader* shader, const auto& constants) {
    b.Dispatch(shader, {group, static_cast<uint32_t>(axes.size()), stepped, pattern[0], pattern[1]},
               {Read(from), Write(to)}, constants,
               GroupsFor(move.Units(y.shape.num_elements()), group));
  };
  if (axes.size() <= std::tuple_size_v<decltype(FewAxes::axes)>) {
    dispatch(PlaceShader(move.unit), FewAxes(axes));
  } else {
    dispatch(PlaceManyShader(move.unit), ManyAxes(axes));
  }
  b.Describe(absl::StrCat("place, ", axes.size(), " axes, ", move.unit, "-byte units"));
  return b.Finish();
}

absl::StatusOr<Ref<const PreparedKernel>> PreparePad(const KernelRequest& request) {
  const Shape& x = request.inputs[0].spec.shape;
  const Shape& y = request.outputs[0].spec.shape;
  PlaceAxes axes;
  for (int i = 0; i < y.rank(); ++i) {
    axes.push_back({y[i], x[i], request.attrs.Ints("before")[i], 1});
  }
  return Place(request, axes, request.attrs.Double("value"));
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareSliceBackward(const KernelRequest& request) {
  const Shape& y = request.outputs[0].spec.shape;
  TANDEM_ASSIGN_OR_RETURN(
      const SliceGeometry slice,
      SliceGeometry::Create(y, request.attrs.Ints("begin"), request.attrs.Ints("end"),
                            request.attrs.Ints("strides")));
  PlaceAxes axes;
  for (int i = 0; i < y.rank(); ++i) {
    axes.push_back({y[i], slice.size[i], slice.begin[i], slice.stride[i]});
  }
  return Place(request, axes, 0);
}

}  // namespace

absl::Status RegisterPlacingKernels(KernelRegistry* registry) {
  for (auto [op, prepare] :
       {std::pair("pad", &PreparePad), std::pair("slice_backward", &PrepareSliceBackward)}) {
    KernelDef def = VulkanKernelDef(op, op, {}, prepare);
    def.supports = nullptr;  // moves elements of any dtype, also of one that the device lacks
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
