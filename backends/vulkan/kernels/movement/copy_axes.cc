#include "tandem/backends/vulkan/kernels/movement/copy_axes.h"

namespace tandem::vulkan_backend {
namespace {

constexpr int64_t kLeastTiled = 16;  // a smaller axis would leave most of a tile empty

}  // namespace

CopyAxes MergedAxes(const TensorLayout& layout) {
  CopyAxes axes;
  for (int i = layout.spec.shape.rank() - 1; i >= 0; --i) {
    const int64_t size = layout.spec.shape[i];
    const int64_t stride = layout.strides[i];
    if (size == 1) continue;
    if (!axes.empty() && stride == axes.back().stride * axes.back().size) {
      axes.back().size *= size;
    } else {
      axes.push_back({size, stride});
    }
  }
  if (axes.empty()) axes.push_back({1, 1});
  return axes;
}

int TransposedAxis(const CopyAxes& axes) {
  // Along a broadcast axis (stride 0), neighbours read the same element: nothing to gain.
  if (axes[0].stride == 1 || axes[0].stride == 0 || axes[0].size < kLeastTiled) return 0;
  for (size_t i = 1; i < axes.size(); ++i) {
    if (axes[i].stride == 1 && axes[i].size >= kLeastTiled) return static_cast<int>(i);
  }
  return 0;
}

}  // namespace tandem::vulkan_backend
