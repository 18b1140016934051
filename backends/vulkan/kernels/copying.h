// identity: contiguous copies of tensors with any strides, for every dtype. It is what makes inputs
// contiguous for kernels that need it.
//
// Two kernels: `transpose`, where the input is contiguous along another axis than the last one, goes
// through tiles in shared memory, so that reads and writes both touch whole cache lines; `copy` takes
// all others, in units of up to 16 bytes where the innermost axes are contiguous. Both move memory
// and compute with no dtype, so they also serve those that the device cannot compute with.
//
// Thread rules: call before the registry is used; pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_COPYING_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_COPYING_H_

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "tandem/core/op/kernel.h"
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

absl::Status RegisterCopyingKernels(KernelRegistry* registry);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_COPYING_H_
