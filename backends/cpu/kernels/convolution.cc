#include "tandem/backends/cpu/kernels/convolution.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/convolution_plan.h"
#include "tandem/backends/cpu/kernels/convolution_planes.h"
#include "tandem/backends/cpu/kernels/gemm.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/window.h"

namespace tandem::cpu_backend {
namespace {

// Planes of several images that meet the same weights stay below this, in elements.
constexpr int64_t kGroupElements = 65536;
// Partial gradients of the weight, all together, in elements.
constexpr int64_t kPartialElements = int64_t{1} << 24;

// --- forward --------------------------------------------------------------------------------------

template <typename T>
void Forward(const ConvolutionPlan<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  p.Run(At<const T>(buffers[0]), At<const T>(buffers[1]), At<T>(buffers[2]), buffers[3], pool);
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareForward(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const auto plan,
                          ConvolutionPlan<T>::Create(request.inputs[0], request.inputs[1],
                                                     request.attrs, IsaOf(request.device)));
  return MakeConvertedCpuKernel<ConvolutionPlan<T>>(request, "conv2d", plan, &Forward<T>,
                                                    {.workspace_bytes = plan.workspace_bytes});
}

// --- the gradient of the input --------------------------------------------------------------------

// The taps that a phase of the input's axis meets: for position j of the phase, tap `kernel` meets
// position j + shift of the planes.
struct Tap {
  int64_t kernel;
  int64_t shift;
};

// Calls fn(tap) for those of one axis.
template <typename Fn>
void ForTaps(const WindowAxis& w, const PlaneAxis& planes, int64_t phase, Fn&& fn) {
  for (int64_t k = 0; k < w.kernel; ++k) {
    const int64_t distance = phase + w.pad_before - k * w.dilation;
    if (distance % w.stride == 0) fn(Tap{k, distance / w.stride - planes.origin});
  }
}

template <typename T>
void BackwardInput(const ConvolutionPlan<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const Conv2dGeometry& g = p.g;
  const T* grad = At<const T>(buffers[0]);
  const T* weight = At<const T>(buffers[1]);
  T* dx = At<T>(buffers[2]);
  std::byte* workspace = buffers[3];
  int64_t* const offsets = At<int64_t>(workspace + p.offsets_at);
  T* const packed = At<T>(workspace + p.weight_at);
  const int64_t m = g.group_in_channels();
  const int64_t depth = g.group_out_channels();
  const int64_t kernel = KernelSize(g);
  const int64_t in_plane = g.height.input * g.width.input;
  const int64_t out_plane = g.height.output * g.width.output;
  const RowBlocks blocks(m, p.kernels->mr);

  // One phase of the input after the other: its taps' offsets, and its weights for each group. Calls
  // fn(y, x, first tap, taps) for each phase that has elements.
  const auto for_phases = [&](auto&& fn) {
    int64_t first = 0;
    for (int64_t y = 0; y < std::min(g.height.stride, g.height.input); ++y) {
      for (int64_t x = 0; x < std::min(g.width.stride, g.width.input); ++x) {
        int64_t taps = 0;
        ForTaps(g.height, p.planes.height, y,
                [&](Tap) { ForTaps(g.width, p.planes.width, x, [&](Tap) { ++taps; }); });
        fn(y, x, first, taps * depth);
        first += taps * depth;
      }
    }
  };
  for_phases([&](int64_t y, int64_t x, int64_t first, int64_t k) {
    int64_t at = first;
    for (int64_t c = 0; c < depth; ++c) {
      ForTaps(g.height, p.planes.height, y, [&](Tap row) {
        ForTaps(g.width, p.planes.width, x, [&](Tap col) {
          offsets[at] = c * p.planes.channel() + row.shift * p.planes.width.size + col.shift;
          for (int64_t group = 0; group < g.groups; ++group) {
            const T* from = weight + (group * depth + c) * m * kernel +
                            row.kernel * g.width.kernel + col.kernel;
            T* to = packed + group * m * kernel * depth + first * m;
            for (int64_t block = 0; block < blocks.count; ++block) {
              const int64_t begin = blocks.Begin(block);
              const int64_t rows = blocks.Size(block);
              for (int64_t i = 0; i < rows; ++i) {
                to[begin * k + (at - first) * rows + i] = from[(begin + i) * kernel];
              }
            }
          }
          ++at;
        });
      });
    }
  });

  p.ForImageGroups(workspace, pool, [&](int64_t image, int64_t group, T* planes) {
    const int64_t out_channel = image * g.out_channels + group * depth;
    FillPlanes(*p.kernels, p.planes, grad + out_channel * out_plane, depth, g.height.output,
               g.width.output, planes);
    T* to = dx + (image * g.in_channels + group * m) * in_plane;
    for_phases([&](int64_t y, int64_t x, int64_t first, int64_t k) {
      const Correlation<T> correlation = {p.kernels,
                                          m,
                                          k,
                                          packed + group * m * kernel * depth + first * m,
                                          /*packed=*/true,
                                          offsets + first,
                                          p.planes.width.size,
                                          DivideRoundUp(g.height.input - y, g.height.stride),
                                          DivideRoundUp(g.width.input - x, g.width.stride),
                                          in_plane,
                                          g.width.input * g.height.stride,
                                          g.width.stride};
      Correlate(correlation, planes, to + y * g.width.input + x, pool);
    });
  });
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareBackwardInput(const KernelRequest& request) {
  ConvolutionPlan<T> p = {};
  p.kernels = &GemmKernelsFor<T>(IsaOf(request.device));
  TANDEM_ASSIGN_OR_RETURN(p.g, Conv2dGeometry::Create(request.outputs[0].spec.shape,
                                                      request.inputs[1].spec.shape, request.attrs));
  p.planes = PlaneLayout::OfOutputGradient(p.g);
  TANDEM_RETURN_IF_ERROR(p.PlanSlots(p.g.group_out_channels(), p.g.weight_shape().num_elements()));
  return MakeConvertedCpuKernel<ConvolutionPlan<T>>(request, "conv2d_backward_input", p,
                                                    &BackwardInput<T>,
                                                    {.workspace_bytes = p.workspace_bytes});
}

// --- the gradient of the weight -------------------------------------------------------------------

template <typename T>
struct WeightGradientPlan {
  const GemmKernels<T>* kernels;
  Conv2dGeometry g;
  PlaneLayout planes, grad_planes;
  int64_t plane_elements, grad_elements;  // of one image's group, with slack
  int64_t grain;                          // images that share a slot
  int64_t slots;
  int64_t together;  // images whose planes are filled together
  // Offsets in the workspace, bytes.
  int64_t offsets_at, slots_at, partials_at;
};

template <typename T>
void BackwardWeight(const WeightGradientPlan<T>& p, std::byte* const* buffers,
                    CpuThreadPool& pool) {
  const Conv2dGeometry& g = p.g;
  const T* x = At<const T>(buffers[0]);
  const T* grad = At<const T>(buffers[1]);
  T* dw = At<T>(buffers[2]);
  std::byte* workspace = buffers[3];
  int64_t* offsets = At<int64_t>(workspace + p.offsets_at);
  const int64_t rows = g.group_out_channels();
  const int64_t k = g.group_in_channels() * KernelSize(g);
  const int64_t size = g.out_channels * k;
  const int64_t in_plane = g.height.input * g.width.input;
  const int64_t out_plane = g.height.output * g.width.output;
  const int64_t positions = (g.height.output - 1) * p.planes.width.size + g.width.output;
  if (size == 0) return;
  if (g.batch == 0 || out_plane == 0) {
    std::fill_n(dw, size, T());
    return;
  }
  InputOffsets(g, p.planes, offsets);
  T* const partials = p.slots == 1 ? dw : At<T>(workspace + p.partials_at);
  const int64_t slot_elements = p.together * (p.plane_elements + p.grad_elements);
  pool.ParallelFor(g.batch, p.grain, [&](int64_t begin, int64_t end) {
    const int64_t slot = begin / p.grain;
    T* const planes = At<T>(workspace + p.slots_at) + slot * slot_elements;
    T* const grad_planes = planes + p.together * p.plane_elements;
    T* const partial = partials + slot * size;
    std::fill_n(partial, size, T());
    for (int64_t group = 0; group < g.groups; ++group) {
      for (int64_t image = begin; image < end; image += p.together) {
        const int64_t images = std::min(p.together, end - image);
        pool.ParallelFor(
            images, GrainFor(p.plane_elements + p.grad_elements), [&](int64_t first, int64_t last) {
              for (int64_t i = first; i < last; ++i) {
                const int64_t in = (image + i) * g.in_channels + group * g.group_in_channels();
                FillPlanes(*p.kernels, p.planes, x + in * in_plane, g.group_in_channels(),
                           g.height.input, g.width.input, planes + i * p.plane_elements);
                const int64_t out = (image + i) * g.out_channels + group * rows;
                FillPlanes(*p.kernels, p.grad_planes, grad + out * out_plane, rows, g.height.output,
                           g.width.output, grad_planes + i * p.grad_elements);
              }
            });
        const int64_t tile = p.kernels->dot_rows;
        const int64_t work = tile * k * positions / kFusedPerOperation * images;
        pool.ParallelFor(rows, DivideRoundUp(GrainFor(work / tile), tile) * tile,
                         [&](int64_t first, int64_t last) {
                           p.kernels->dot_offsets(last - first, k, positions, images,
                                                  grad_planes + first * p.grad_planes.channel(),
                                                  p.grad_planes.channel(), p.grad_elements, planes,
                                                  offsets, p.plane_elements,
                                                  partial + (group * rows + first) * k, k);
                         });
      }
    }
  });
  if (p.slots == 1) return;
  const int64_t used = DivideRoundUp(g.batch, p.grain);
  pool.ParallelFor(size, GrainFor(used), [&](int64_t begin, int64_t end) {
    std::copy(partials + begin, partials + end, dw + begin);
    for (int64_t slot = 1; slot < used; ++slot) {
      const T* partial = partials + slot * size;
      for (int64_t i = begin; i < end; ++i) dw[i] += partial[i];
    }
  });
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareBackwardWeight(const KernelRequest& request) {
  WeightGradientPlan<T> p = {};
  p.kernels = &GemmKernelsFor<T>(IsaOf(request.device));
  TANDEM_ASSIGN_OR_RETURN(
      p.g, Conv2dGeometry::Create(request.inputs[0].spec.shape, request.outputs[0].spec.shape,
                                  request.attrs));
  const Conv2dGeometry& g = p.g;
  p.planes = PlaneLayout::OfInput(g);
  p.grad_planes = PlaneLayout::AlignedWith(p.planes, g);
  TANDEM_ASSIGN_OR_RETURN(p.plane_elements, PlaneElements(p.planes, g.group_in_channels()));
  TANDEM_ASSIGN_OR_RETURN(p.grad_elements, PlaneElements(p.grad_planes, g.group_out_channels()));
  TANDEM_ASSIGN_OR_RETURN(const int64_t image, CheckedAdd(p.plane_elements, p.grad_elements));
  const int64_t weight = std::max<int64_t>(g.weight_shape().num_elements(), 1);
  const int64_t most = std::clamp<int64_t>(kPartialElements / weight, 1, kMaxSlots);
  // Adding a partial gradient costs as much as a position, so a slot is worth several images.
  p.grain = std::max(DivideRoundUp(g.batch, most), GrainFor(WorkOf(g) * g.groups));
  p.slots = std::max<int64_t>(DivideRoundUp(g.batch, p.grain), 1);
  p.together = std::clamp<int64_t>(kGroupElements / image, 1, std::max<int64_t>(p.grain, 1));
  WorkspaceLayout workspace;
  TANDEM_ASSIGN_OR_RETURN(p.offsets_at, workspace.Take(g.group_in_channels() * KernelSize(g), 8));
  TANDEM_ASSIGN_OR_RETURN(const int64_t slot, CheckedMul(image, p.together));
  TANDEM_ASSIGN_OR_RETURN(const int64_t all, CheckedMul(slot, p.slots));
  TANDEM_ASSIGN_OR_RETURN(p.slots_at, workspace.Take(all, sizeof(T)));
  TANDEM_ASSIGN_OR_RETURN(const int64_t partials, CheckedMul(weight, p.slots == 1 ? 0 : p.slots));
  TANDEM_ASSIGN_OR_RETURN(p.partials_at, workspace.Take(partials, sizeof(T)));
  return MakeConvertedCpuKernel<WeightGradientPlan<T>>(request, "conv2d_backward_weight", p,
                                                       &BackwardWeight<T>,
                                                       {.workspace_bytes = workspace.bytes()});
}

using Prepare = absl::StatusOr<Ref<const PreparedKernel>> (*)(const KernelRequest&);

template <Prepare kFloat, Prepare kDouble>
absl::StatusOr<Ref<const PreparedKernel>> Dispatch(const KernelRequest& request) {
  return request.inputs[0].spec.dtype == DType::kF64 ? kDouble(request) : kFloat(request);
}

}  // namespace

absl::Status RegisterConvolutionKernels(KernelRegistry* registry) {
  const std::vector<DType> floats = {DType::kF32, DType::kF64, DType::kF16, DType::kBF16};
  TANDEM_RETURN_IF_ERROR(registry->Register(CpuKernelDef(
      "conv2d", "conv2d", floats, &Dispatch<&PrepareForward<float>, &PrepareForward<double>>)));
  TANDEM_RETURN_IF_ERROR(registry->Register(
      CpuKernelDef("conv2d_backward_input", "conv2d_backward_input", floats,
                   &Dispatch<&PrepareBackwardInput<float>, &PrepareBackwardInput<double>>)));
  return registry->Register(
      CpuKernelDef("conv2d_backward_weight", "conv2d_backward_weight", floats,
                   &Dispatch<&PrepareBackwardWeight<float>, &PrepareBackwardWeight<double>>));
}

}  // namespace tandem::cpu_backend
