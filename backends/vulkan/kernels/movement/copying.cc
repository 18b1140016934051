#include "tandem/backends/vulkan/kernels/movement/copying.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/kernels/movement/copy_axes.h"
#include "tandem/backends/vulkan/kernels/movement/copy_shaders.h"
#include "tandem/backends/vulkan/kernels/movement/transpose_shaders.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr int64_t kTile = 32;  // as in transpose.comp
// On a driver that runs on a CPU, matrices that its caches hold need no tiles: there the plain copy
// was up to 1.7 times faster, and at 4 MiB half as fast (copying_benchmark, llvmpipe).
constexpr int64_t kLeastTiledOnCpu = int64_t{2} << 20;  // bytes
constexpr uint32_t kTileRows = 8;                       // invocations of a work group: 32 by 8

struct CopyConstants {
  struct Axis {
    FastDivisor size;
    int32_t stride = 0;
  };
  std::array<Axis, kMaxRank - 1> axes;
  int32_t outer_stride = 0;
  int32_t offset = 0;
  uint32_t total = 0;
};
static_assert(sizeof(CopyConstants) == 124);

struct TransposeConstants {
  struct BatchAxis {
    uint32_t size = 1;
    int32_t x_stride = 0;
    int32_t y_stride = 0;
  };
  int32_t offset = 0;
  uint32_t rows = 0;
  uint32_t columns = 0;
  int32_t column_stride = 0;
  int32_t row_stride = 0;
  uint32_t row_tiles = 0;
  uint32_t column_tiles = 0;
  uint32_t num_tiles = 0;
  uint32_t batch_rank = 0;
  std::array<BatchAxis, kMaxRank - 2> batch;
};
static_assert(sizeof(TransposeConstants) == 108);

// The part of the input's memory that the copy reads, from an offset that a binding may have.
struct Source {
  Operand operand;
  int64_t offset = 0;  // elements, of the first element of the copy in the operand
};

absl::StatusOr<Source> SourceOf(const KernelBuilder& b, const KernelRequest& request,
                                const CopyAxes& axes) {
  const TensorLayout& layout = request.inputs[0];
  int64_t lowest = layout.offset, highest = layout.offset;
  for (const CopyAxis& axis : axes) {
    (axis.stride < 0 ? lowest : highest) += (axis.size - 1) * axis.stride;
  }
  const int64_t element = DTypeSize(layout.spec.dtype);
  // Down to where a binding may start, and a unit of 16 bytes too.
  const int64_t alignment = std::max<int64_t>(16, b.capabilities().storage_alignment);
  const int64_t start = lowest * element / alignment * alignment;
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (highest - start / element > kMost || layout.spec.shape.num_elements() > kMost) {
    return absl::ResourceExhaustedError(absl::StrCat(
        request.op.name, ": ", layout.spec.ToString(), " with strides ", layout.strides.ToString(),
        " spans more elements than the 32-bit indices of a shader reach; split it"));
  }
  Source source;
  source.operand = b.Input(0);
  source.operand.offset = start;
  source.operand.size = (highest + 1) * element - start;
  source.offset = layout.offset - start / element;
  return source;
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareCopy(const KernelRequest& request) {
  KernelBuilder b(request, "copy");
  const TensorLayout& x = request.inputs[0];
  const DType dtype = x.spec.dtype;
  const int64_t elements = x.spec.shape.num_elements();
  if (elements == 0) return b.Finish();
  CopyAxes axes = MergedAxes(x);
  TANDEM_ASSIGN_OR_RETURN(const Source source, SourceOf(b, request, axes));
  Movement move = Movement::OfElements(b.capabilities(), dtype);
  if (axes.front().stride == 1) {
    absl::InlinedVector<int64_t, kMaxRank + 1> runs = {axes[0].size, source.offset};
    for (size_t i = 1; i < axes.size(); ++i) runs.push_back(axes[i].stride);
    const Movement of_runs = Movement::OfRuns(b.capabilities(), dtype, runs);
    if (of_runs.dtype == dtype) move = of_runs;
    axes[0].size = move.Units(axes[0].size);
    for (size_t i = 1; i < axes.size(); ++i) axes[i].stride = move.Units(axes[i].stride);
  }
  CopyConstants constants;
  for (size_t i = 0; i + 1 < axes.size(); ++i) {
    constants.axes[i] = {FastDivisor(axes[i].size), static_cast<int32_t>(axes[i].stride)};
  }
  constants.outer_stride = static_cast<int32_t>(axes.back().stride);
  constants.offset = static_cast<int32_t>(move.Units(source.offset));
  constants.total = static_cast<uint32_t>(move.Units(elements));
  const uint32_t group = GroupSize(b.capabilities());
  b.Dispatch(CopyShader(move.unit), {group, static_cast<uint32_t>(axes.size())},
             {Read(source.operand), Write(b.Output(0))}, constants,
             GroupsFor(constants.total, group));
  b.Describe(absl::StrCat("copy, ", axes.size(), " axes, ", move.unit, "-byte units"));
  return b.Finish();
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareTranspose(const KernelRequest& request) {
  KernelBuilder b(request, "transpose");
  if (request.outputs[0].spec.shape.num_elements() == 0) return b.Finish();
  const CopyAxes axes = MergedAxes(request.inputs[0]);
  const int row_axis = TransposedAxis(axes);
  if (row_axis == 0) return absl::InternalError("transpose: a layout that it does not support");
  TANDEM_ASSIGN_OR_RETURN(const Source source, SourceOf(b, request, axes));
  TransposeConstants constants;
  constants.offset = static_cast<int32_t>(source.offset);
  constants.rows = static_cast<uint32_t>(axes[row_axis].size);
  constants.columns = static_cast<uint32_t>(axes[0].size);
  constants.column_stride = static_cast<int32_t>(axes[0].stride);
  constants.row_tiles = static_cast<uint32_t>(DivideRoundUp(axes[row_axis].size, kTile));
  constants.column_tiles = static_cast<uint32_t>(DivideRoundUp(axes[0].size, kTile));
  int64_t tiles = int64_t{constants.row_tiles} * constants.column_tiles;
  int64_t y_stride = axes[0].size;
  for (int i = 1; i < static_cast<int>(axes.size()); ++i) {
    if (i == row_axis) {
      constants.row_stride = static_cast<int32_t>(y_stride);
    } else {
      constants.batch[constants.batch_rank++] = {static_cast<uint32_t>(axes[i].size),
                                                 static_cast<int32_t>(axes[i].stride),
                                                 static_cast<int32_t>(y_stride)};
      tiles *= axes[i].size;
    }
    y_stride *= axes[i].size;
  }
  constants.num_tiles = static_cast<uint32_t>(tiles);
  const int element = static_cast<int>(DTypeSize(request.inputs[0].spec.dtype));
  const uint32_t rows =
      std::min<uint32_t>(kTileRows, b.capabilities().max_workgroup_invocations / kTile);
  const bool through_shared = !b.capabilities().is_cpu;
  b.Dispatch(TransposeShader(element), {rows, through_shared},
             {Read(source.operand), Write(b.Output(0))}, constants, LinearGrid(tiles));
  b.Describe(absl::StrCat("transpose, ", kTile, "x", kTile, " tiles of ", element, " bytes",
                          through_shared ? " in shared memory" : ""));
  return b.Finish();
}

const Capabilities& CapabilitiesOf(const KernelRequest& request) {
  return static_cast<const VulkanDevice&>(request.device).capabilities();
}

bool SupportsCopy(const KernelRequest& request) {
  return CanAddress(CapabilitiesOf(request), DTypeSize(request.inputs[0].spec.dtype));
}

bool SupportsTranspose(const KernelRequest& request) {
  if (!SupportsCopy(request)) return false;
  const CopyAxes axes = MergedAxes(request.inputs[0]);
  const int row_axis = TransposedAxis(axes);
  if (row_axis == 0) return false;
  if (!CapabilitiesOf(request).is_cpu) return true;
  const int64_t matrix = axes[row_axis].size * axes.front().size;
  return matrix * DTypeSize(request.inputs[0].spec.dtype) >= kLeastTiledOnCpu;
}

}  // namespace

absl::Status RegisterCopyingKernels(KernelRegistry* registry) {
  KernelDef copy = VulkanKernelDef("identity", "copy", {}, &PrepareCopy);
  copy.strided_inputs = true;
  copy.supports = &SupportsCopy;
  KernelDef transpose = VulkanKernelDef("identity", "transpose", {}, &PrepareTranspose);
  transpose.strided_inputs = true;
  transpose.supports = &SupportsTranspose;
  transpose.priority = copy.priority + 1;
  TANDEM_RETURN_IF_ERROR(registry->Register(std::move(copy)));
  return registry->Register(std::move(transpose));
}

}  // namespace tandem::vulkan_backend
