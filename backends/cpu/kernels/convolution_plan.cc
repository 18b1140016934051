#include "tandem/backends/cpu/kernels/convolution_plan.h"

#include "absl/strings/str_cat.h"

namespace tandem::cpu_backend {
namespace {

// Fewer images than this are computed one after the other by all threads, if each is worth it.
constexpr int64_t kManyImages = 8;

// Bytes of a row of the weight that is rather read where it lies than packed at each call: a block of
// rows stays in the L1 cache.
constexpr int64_t kRowInPlace = 2400;

}  // namespace

int64_t WorkOf(const Conv2dGeometry& g) {
  const double work = static_cast<double>(g.group_out_channels()) * g.group_in_channels() *
                      KernelSize(g) * g.height.output * g.width.output / kFusedPerOperation;
  return static_cast<int64_t>(std::min(work, 1e15)) + 1;
}

void InputOffsets(const Conv2dGeometry& g, const PlaneLayout& planes, int64_t* offsets) {
  if (g.group_in_channels() == 0) return;
  // Divisions for the taps of the first channel only: the others lie a channel further.
  int64_t* to = offsets;
  for (int64_t kh = 0; kh < g.height.kernel; ++kh) {
    const int64_t y = kh * g.height.dilation;
    const int64_t row = y % g.height.stride * planes.width.phases * planes.plane() +
                        y / g.height.stride * planes.width.size;
    for (int64_t kw = 0; kw < g.width.kernel; ++kw) {
      const int64_t x = kw * g.width.dilation;
      *to++ = row + x % g.width.stride * planes.plane() + x / g.width.stride;
    }
  }
  const int64_t kernel = KernelSize(g);
  for (int64_t i = kernel; i < g.group_in_channels() * kernel; ++i) {
    offsets[i] = offsets[i - kernel] + planes.channel();
  }
}

template <typename T>
absl::Status ConvolutionPlan<T>::PlanSlots(int64_t channels, int64_t weight) {
  TANDEM_ASSIGN_OR_RETURN(plane_elements, PlaneElements(planes, channels));
  const int64_t tasks = g.batch * g.groups;
  const int64_t work = WorkOf(g);
  if (tasks < kManyImages && work > 2 * kParallelWork) {
    grain = std::max<int64_t>(tasks, 1);
  } else {
    grain = std::max(GrainFor(work), DivideRoundUp(tasks, kMaxSlots));
  }
  slots = std::max<int64_t>(DivideRoundUp(tasks, grain), 1);
  WorkspaceLayout workspace;
  TANDEM_ASSIGN_OR_RETURN(offsets_at, workspace.Take(channels * KernelSize(g), 8));
  TANDEM_ASSIGN_OR_RETURN(weight_at,
                          workspace.Take(weight == 0 ? 0 : weight + kPackSlack, sizeof(T)));
  TANDEM_ASSIGN_OR_RETURN(const int64_t all, CheckedMul(plane_elements, slots));
  TANDEM_ASSIGN_OR_RETURN(slots_at, workspace.Take(all, sizeof(T)));
  workspace_bytes = workspace.bytes();
  return absl::OkStatus();
}

template <typename T>
absl::StatusOr<ConvolutionPlan<T>> ConvolutionPlan<T>::Create(const TensorLayout& x,
                                                              const TensorLayout& weight,
                                                              const AttributeMap& attrs, Isa isa) {
  ConvolutionPlan<T> p = {};
  p.kernels = &GemmKernelsFor<T>(isa);
  TANDEM_ASSIGN_OR_RETURN(p.g, Conv2dGeometry::Create(x.spec.shape, weight.spec.shape, attrs));
  p.planes = PlaneLayout::OfInput(p.g);
  p.packs_weight = p.g.group_in_channels() * KernelSize(p.g) * int64_t{sizeof(T)} > kRowInPlace;
  TANDEM_RETURN_IF_ERROR(
      p.PlanSlots(p.g.group_in_channels(), p.packs_weight ? p.g.weight_shape().num_elements() : 0));
  return p;
}

template <typename T>
void ConvolutionPlan<T>::Run(const T* x, const T* weight, T* y, std::byte* workspace,
                             CpuThreadPool& pool, const ResultEpilogue* epilogue) const {
  int64_t* const offsets = reinterpret_cast<int64_t*>(workspace + offsets_at);
  const int64_t m = g.group_out_channels();
  const int64_t k = g.group_in_channels() * KernelSize(g);
  const int64_t in_plane = g.height.input * g.width.input;
  const int64_t out_plane = g.height.output * g.width.output;
  InputOffsets(g, planes, offsets);
  const T* rows = weight;
  if (packs_weight) {
    T* const packed = reinterpret_cast<T*>(workspace + weight_at);
    const RowBlocks blocks(m, kernels->mr);
    // In order: a block may write over the start of the next one.
    for (int64_t group = 0; group < g.groups; ++group) {
      for (int64_t block = 0; block < blocks.count; ++block) {
        const int64_t at = (group * m + blocks.Begin(block)) * k;
        kernels->pack_a(blocks.Size(block), k, weight + at, k, 1, packed + at);
      }
    }
    rows = packed;
  }
  ForImageGroups(workspace, pool, [&](int64_t image, int64_t group, T* own) {
    const int64_t in_channel = image * g.in_channels + group * g.group_in_channels();
    FillPlanes(*kernels, planes, x + in_channel * in_plane, g.group_in_channels(), g.height.input,
               g.width.input, own);
    const Correlation<T> correlation = {kernels,
                                        m,
                                        k,
                                        rows + group * m * k,
                                        packs_weight,
                                        offsets,
                                        planes.width.size,
                                        g.height.output,
                                        g.width.output,
                                        out_plane,
                                        g.width.output,
                                        1};
    const int64_t first = (image * g.out_channels + group * m) * out_plane;
    Correlate(correlation, own, y + first, pool);
    if (epilogue == nullptr) return;
    pool.ParallelFor(m * out_plane, kParallelWork, [&](int64_t begin, int64_t end) {
      epilogue->run(epilogue->context, first + begin, 1, end - begin, end - begin);
    });
  });
}

template <typename T>
std::string ConvolutionPlan<T>::Describe() const {
  return absl::StrCat("conv2d ", kernels->mr, "x", kernels->nr);
}

template struct ConvolutionPlan<float>;
template struct ConvolutionPlan<double>;

}  // namespace tandem::cpu_backend
