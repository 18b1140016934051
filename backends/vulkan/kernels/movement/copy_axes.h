// The axes of a strided copy, as few as say the same.
//
//   MergedAxes(layout of f32[2,3,4] with strides {12,4,1});   // one axis of 24 elements
//   MergedAxes(layout of f32[4,3] with strides {1,4});        // {3, 4}, {4, 1}: a transposition
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_COPY_AXES_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_COPY_AXES_H_

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "tandem/core/tensor/shape.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::vulkan_backend {

// An axis of a copy: so many elements, so far apart in the input.
struct CopyAxis {
  int64_t size = 1;
  int64_t stride = 0;
  friend bool operator==(const CopyAxis&, const CopyAxis&) = default;
};
using CopyAxes = absl::InlinedVector<CopyAxis, kMaxRank>;

// The fewest axes with the same elements in the same order, the innermost first; at least one.
CopyAxes MergedAxes(const TensorLayout& layout);

// The axis to transpose with the innermost one; 0 if tiles would not pay.
int TransposedAxis(const CopyAxes& axes);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_COPY_AXES_H_
