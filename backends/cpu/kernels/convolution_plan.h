// A convolution, decided: where the planes of its images lie, and which images share them. For the
// kernels that contain one: conv2d, the gradient of its input, and what fuses it with other work.
//
//   TANDEM_ASSIGN_OR_RETURN(auto plan, ConvolutionPlan<float>::Create(x, weight, attrs, isa));
//   plan.Run(x_data, weight_data, y_data, workspace, pool);
//
// The method stands in convolution_planes.h.
// Thread rules: a value type; Run from any thread, with a workspace of its own.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_PLAN_H_
#define TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_PLAN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/kernels/convolution_planes.h"
#include "tandem/backends/cpu/kernels/gemm.h"
#include "tandem/backends/cpu/kernels/result_epilogue.h"
#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/window.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::cpu_backend {

// Multiplications and additions that take about the time of one cheap elementwise operation.
inline constexpr int64_t kFusedPerOperation = 8;
// Parts of a batch that have planes of their own.
inline constexpr int64_t kMaxSlots = 16;

// Takes aligned pieces of a workspace, and adds up their size.
class WorkspaceLayout {
 public:
  // The offset of `count` elements of `size` bytes.
  absl::StatusOr<int64_t> Take(int64_t count, int64_t size) {
    const int64_t at = bytes_;
    TANDEM_ASSIGN_OR_RETURN(const int64_t bytes, CheckedMul(count, size));
    TANDEM_ASSIGN_OR_RETURN(const int64_t end, CheckedAdd(at, bytes));
    TANDEM_ASSIGN_OR_RETURN(bytes_, CheckedAlignUp(end, 64));
    return at;
  }
  int64_t bytes() const { return std::max<int64_t>(bytes_, 64); }

 private:
  int64_t bytes_ = 0;
};

inline int64_t KernelSize(const Conv2dGeometry& g) { return g.height.kernel * g.width.kernel; }

// Work of one image's group, in cheap operations.
int64_t WorkOf(const Conv2dGeometry& g);

// Where each tap of a group's weight meets the planes of the input.
void InputOffsets(const Conv2dGeometry& g, const PlaneLayout& planes, int64_t* offsets);

// T: float or double. Trivially copyable: it travels as the constants of a call.
template <typename T>
struct ConvolutionPlan {
  // `attrs`: those of the op conv2d. x and weight are contiguous. INVALID_ARGUMENT for shapes that do
  // not fit, RESOURCE_EXHAUSTED for planes that would not fit any memory.
  static absl::StatusOr<ConvolutionPlan> Create(const TensorLayout& x, const TensorLayout& weight,
                                                const AttributeMap& attrs, Isa isa);
  // y: contiguous; `workspace`: workspace_bytes, aligned to 64.
  void Run(const T* x, const T* weight, T* y, std::byte* workspace, CpuThreadPool& pool,
           const ResultEpilogue* epilogue = nullptr) const;
  std::string Describe() const;  // "conv2d 14x32"

  // Slots and workspace for planes of `channels` channels an image, and for `weight` elements of a
  // weight that is rearranged: the forward's own, and for the gradient of the input. Needs `g` and
  // `planes`.
  absl::Status PlanSlots(int64_t channels, int64_t weight);
  // Calls fn(image, group, planes) for every image's group, with its slot's planes.
  template <typename Fn>
  void ForImageGroups(std::byte* workspace, CpuThreadPool& pool, Fn&& fn) const;

  const GemmKernels<T>* kernels;
  Conv2dGeometry g;
  PlaneLayout planes;
  int64_t plane_elements;  // of one image's group, with slack
  int64_t grain;           // image-groups that share a slot
  int64_t slots;
  bool packs_weight;  // or reads its rows where they lie
  // Offsets in the workspace, bytes.
  int64_t offsets_at, weight_at, slots_at;
  int64_t workspace_bytes;
};

template <typename T>
template <typename Fn>
void ConvolutionPlan<T>::ForImageGroups(std::byte* workspace, CpuThreadPool& pool, Fn&& fn) const {
  T* const all = reinterpret_cast<T*>(workspace + slots_at);
  pool.ParallelFor(g.batch * g.groups, grain, [&](int64_t begin, int64_t end) {
    T* const own = all + begin / grain * plane_elements;
    for (int64_t task = begin; task < end; ++task) fn(task / g.groups, task % g.groups, own);
  });
}

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_PLAN_H_
