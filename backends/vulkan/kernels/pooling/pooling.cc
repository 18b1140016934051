#include "tandem/backends/vulkan/kernels/pooling/pooling.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/floating_point.h"
#include "tandem/backends/vulkan/kernels/loop_limit.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/kernels/pooling/avg_pool_backward_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/avg_pool_backward_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/avg_pool_backward_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/max_pool_backward_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/max_pool_backward_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/max_pool_backward_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/pool_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/pool_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/pooling/pool_shaders.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/window.h"

namespace tandem::vulkan_backend {
namespace {

enum Result : uint32_t { kMax, kAverage, kIndexOfMax };  // of pool.comp

struct AxisConstants {
  AxisConstants() = default;
  explicit AxisConstants(const WindowAxis& axis)
      : size(static_cast<int32_t>(axis.input)),
        kernel(static_cast<int32_t>(axis.kernel)),
        stride(static_cast<int32_t>(axis.stride)),
        pad_before(static_cast<int32_t>(axis.pad_before)),
        pad_after(static_cast<int32_t>(axis.pad_after)),
        windows(static_cast<int32_t>(axis.output)) {}
  int32_t size = 0;
  int32_t kernel = 0;
  int32_t stride = 0;
  int32_t pad_before = 0;
  int32_t pad_after = 0;
  int32_t windows = 0;
};

struct WindowConstants {
  WindowConstants(const Pool2dGeometry& g, int64_t invocations)
      : total(static_cast<uint32_t>(invocations)),
        count_include_pad(g.count_include_pad),
        height(g.height),
        width(g.width) {}
  uint32_t total;
  uint32_t count_include_pad;
  AxisConstants height;
  AxisConstants width;
};

// The shaders compute positions up to the end of a padded image and a step behind it.
absl::Status CheckAxis(const KernelRequest& request, const WindowAxis& axis) {
  constexpr int64_t kMost = int64_t{1} << 28;
  if (axis.input <= kMost && axis.kernel <= kMost && axis.stride <= kMost &&
      axis.pad_before <= kMost && axis.pad_after <= kMost) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      request.op.name, ": an image of ", axis.input, " elements along an axis, windows of ",
      axis.kernel, " and padding of ", axis.pad_before, " and ", axis.pad_after,
      "; a Vulkan kernel takes at most ", kMost));
}

absl::StatusOr<Pool2dGeometry> GeometryOf(const KernelRequest& request, const Shape& image) {
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, Movement()));
  TANDEM_ASSIGN_OR_RETURN(const Pool2dGeometry g, Pool2dGeometry::Create(image, request.attrs));
  TANDEM_RETURN_IF_ERROR(CheckAxis(request, g.height));
  TANDEM_RETURN_IF_ERROR(CheckAxis(request, g.width));
  return g;
}

// Windows are walked by one invocation, eight columns at a time.
absl::Status CheckWindow(const KernelRequest& request, const Capabilities& capabilities,
                         const Pool2dGeometry& g) {
  const int64_t rows = std::min(g.height.kernel, g.height.input);
  const int64_t columns = std::min(g.width.kernel, g.width.input);
  return CheckLoops(capabilities, request.op.name,
                    rows * (columns / 8 + std::min<int64_t>(columns, 7) + 3));
}

// So is the rectangle of windows that an element lies in, one by one.
absl::Status CheckOverlap(const KernelRequest& request, const Capabilities& capabilities,
                          const Pool2dGeometry& g) {
  const auto windows = [](const WindowAxis& axis) {
    return std::min(axis.kernel / std::max<int64_t>(axis.stride, 1) + 1, axis.output);
  };
  return CheckLoops(capabilities, request.op.name, windows(g.height) * (windows(g.width) + 2));
}

template <Result kResult>
absl::StatusOr<Ref<const PreparedKernel>> PreparePool(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const Pool2dGeometry g,
                          GeometryOf(request, request.inputs[0].spec.shape));
  KernelBuilder b(request, request.op.name);
  const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
  const uint32_t group = GroupSize(b.capabilities());
  const int64_t windows = request.outputs[0].spec.shape.num_elements();
  TANDEM_RETURN_IF_ERROR(CheckWindow(request, b.capabilities(), g));
  const Operand x = b.InputAs(0, type.stored);
  b.Dispatch(TANDEM_FLOAT_SHADERS(Pool).For(type), {group, kResult},
             {Read(x), Write(b.OutputAs(0, type.stored))}, WindowConstants(g, windows),
             GroupsFor(windows, group));
  return b.Finish();
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareMaxBackward(const KernelRequest& request) {
  const Shape& image = request.outputs[0].spec.shape;
  TANDEM_ASSIGN_OR_RETURN(const Pool2dGeometry g, GeometryOf(request, image));
  KernelBuilder b(request, "max_pool2d_backward");
  const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
  const uint32_t group = GroupSize(b.capabilities());
  const int64_t windows = request.inputs[0].spec.shape.num_elements();
  TANDEM_RETURN_IF_ERROR(CheckWindow(request, b.capabilities(), g));
  TANDEM_RETURN_IF_ERROR(CheckOverlap(request, b.capabilities(), g));
  const Operand grad = b.InputAs(0, type.stored);
  const Operand x = b.InputAs(1, type.stored);
  // Each window is searched once, not by each element that lies in it.
  const Operand indices = b.Workspace(windows * static_cast<int64_t>(sizeof(uint32_t)));
  b.Dispatch(TANDEM_FLOAT_SHADERS(Pool).For(type), {group, kIndexOfMax}, {Read(x), Write(indices)},
             WindowConstants(g, windows), GroupsFor(windows, group));
  b.Dispatch(TANDEM_FLOAT_SHADERS(MaxPoolBackward).For(type), {group},
             {Read(grad), Read(indices), Write(b.OutputAs(0, type.stored))},
             WindowConstants(g, image.num_elements()), GroupsFor(image.num_elements(), group));
  return b.Finish();
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareAverageBackward(const KernelRequest& request) {
  const Shape& image = request.outputs[0].spec.shape;
  TANDEM_ASSIGN_OR_RETURN(const Pool2dGeometry g, GeometryOf(request, image));
  KernelBuilder b(request, "avg_pool2d_backward");
  TANDEM_RETURN_IF_ERROR(CheckOverlap(request, b.capabilities(), g));
  const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
  const uint32_t group = GroupSize(b.capabilities());
  const Operand grad = b.InputAs(0, type.stored);
  b.Dispatch(TANDEM_FLOAT_SHADERS(AvgPoolBackward).For(type), {group},
             {Read(grad), Write(b.OutputAs(0, type.stored))},
             WindowConstants(g, image.num_elements()), GroupsFor(image.num_elements(), group));
  return b.Finish();
}

}  // namespace

absl::Status RegisterPoolingKernels(KernelRegistry* registry) {
  const auto add = [&](const char* op, auto prepare) {
    return registry->Register(VulkanKernelDef(op, op, FloatTypes(), prepare));
  };
  TANDEM_RETURN_IF_ERROR(add("max_pool2d", &PreparePool<kMax>));
  TANDEM_RETURN_IF_ERROR(add("max_pool2d_backward", &PrepareMaxBackward));
  TANDEM_RETURN_IF_ERROR(add("avg_pool2d", &PreparePool<kAverage>));
  return add("avg_pool2d_backward", &PrepareAverageBackward);
}

}  // namespace tandem::vulkan_backend
