#include "tandem/backends/vulkan/kernels/indexing/indexing.h"

#include <array>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/indexing/gather_backward_shaders.h"
#include "tandem/backends/vulkan/kernels/indexing/gather_backward_words_shaders.h"
#include "tandem/backends/vulkan/kernels/indexing/gather_shaders.h"
#include "tandem/backends/vulkan/kernels/indexing/index_sort.h"
#include "tandem/backends/vulkan/kernels/indexing/one_hot_shaders.h"
#include "tandem/backends/vulkan/kernels/loop_limit.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::vulkan_backend {
namespace {

// --- gather -------------------------------------------------------------------------------------

struct GatherConstants {
  uint32_t total;
  uint32_t size;
  FastDivisor run;
  FastDivisor count;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareGather(const KernelRequest& request) {
  KernelBuilder b(request, "gather");
  const TensorSpec& x = request.inputs[0].spec;
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis,
                          AxisGeometry::Create(x.shape, request.attrs.Int("axis")));
  const Movement move = Movement::OfRuns(b.capabilities(), x.dtype, {axis.inner});
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, move));
  const int64_t count = request.inputs[1].spec.shape.num_elements();
  const int64_t total = move.Units(request.outputs[0].spec.shape.num_elements());
  if (total == 0) return b.Finish();
  const IndexOperand indices = IndicesOf(b, request, 1);
  const uint32_t group = GroupSize(b.capabilities());
  const GatherConstants constants = {static_cast<uint32_t>(total), static_cast<uint32_t>(axis.size),
                                     FastDivisor(move.Units(axis.inner)), FastDivisor(count)};
  b.Dispatch(
      GatherShader(move.unit), {group, indices.words},
      {Read(b.InputAs(0, move.dtype)), Read(indices.operand), Write(b.OutputAs(0, move.dtype))},
      constants, GroupsFor(total, group));
  b.Describe(absl::StrCat("gather, ", move.unit, "-byte units"));
  return b.Finish();
}

// --- gather_backward ----------------------------------------------------------------------------

// As which elements are summed. Integers wrap, so words do for signed and unsigned ones.
DType SumDType(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return dtype;
    default:
      return IsFloating(dtype) ? DType::kF32 : DType::kI32;
  }
}

struct GatherBackwardConstants {
  uint32_t total;
  uint32_t count;
  FastDivisor inner;
  FastDivisor size;
  uint32_t skipped;
  uint32_t most;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareGatherBackward(const KernelRequest& request) {
  KernelBuilder b(request, "gather_backward");
  const TensorSpec& dx = request.outputs[0].spec;
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis,
                          AxisGeometry::Create(dx.shape, request.attrs.Int("axis")));
  const DType dtype = SumDType(dx.dtype);
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, Movement{dtype, static_cast<int>(DTypeSize(dtype))}));
  const int64_t total = dx.shape.num_elements();
  const int64_t count = request.inputs[1].spec.shape.num_elements();
  if (total == 0) return b.Finish();
  const Operand output = b.OutputAs(0, dtype);
  if (count == 0) {
    b.Fill(output, 0);
    return b.Finish();
  }
  const IndexOperand indices = IndicesOf(b, request, 1);
  const SortedIndices sorted = SortIndices(b, indices, count, axis.size);
  const Shader* shader =
      IsFloating(dtype) ? GatherBackwardShader(dtype) : GatherBackwardWordsShader(DTypeSize(dtype));
  const uint32_t group = GroupSize(b.capabilities());
  const Operand grad = b.InputAs(0, dtype);
  // All indices may name one slice.
  const int64_t most = std::min(count, LoopIterations(b.capabilities()) / 2);
  for (int64_t skipped = 0; skipped < count; skipped += most) {
    const GatherBackwardConstants constants = {
        static_cast<uint32_t>(total), static_cast<uint32_t>(count),   FastDivisor(axis.inner),
        FastDivisor(axis.size),       static_cast<uint32_t>(skipped), static_cast<uint32_t>(most)};
    b.Dispatch(shader, {group},
               {Read(grad), Read(sorted.pairs), Read(sorted.starts),
                skipped == 0 ? Write(output) : ReadWrite(output)},
               constants, GroupsFor(total, group));
  }
  b.Describe(count <= kMostRanked ? "gather_backward, ranked indices"
                                  : "gather_backward, radix-sorted indices");
  return b.Finish();
}

// --- one_hot ------------------------------------------------------------------------------------

struct OneHotConstants {
  uint32_t total;
  FastDivisor depth;
  std::array<uint32_t, 2> on, off;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareOneHot(const KernelRequest& request) {
  KernelBuilder b(request, "one_hot");
  const TensorSpec& y = request.outputs[0].spec;
  const Movement move = Movement::OfElements(b.capabilities(), y.dtype);
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, move));
  const int64_t total = y.shape.num_elements();
  if (total == 0) return b.Finish();
  const IndexOperand indices = IndicesOf(b, request, 0);
  const uint32_t group = GroupSize(b.capabilities());
  const OneHotConstants constants = {static_cast<uint32_t>(total), FastDivisor(y.shape.back()),
                                     UnitPattern(move, y.dtype, request.attrs.Double("on")),
                                     UnitPattern(move, y.dtype, request.attrs.Double("off"))};
  b.Dispatch(OneHotShader(move.unit), {group, indices.words},
             {Read(indices.operand), Write(b.OutputAs(0, move.dtype))}, constants,
             GroupsFor(total, group));
  return b.Finish();
}

}  // namespace

absl::Status RegisterIndexingKernels(KernelRegistry* registry) {
  KernelDef gather = VulkanKernelDef("gather", "gather", {}, &PrepareGather);
  KernelDef one_hot = VulkanKernelDef("one_hot", "one_hot", {}, &PrepareOneHot);
  KernelDef backward =
      VulkanKernelDef("gather_backward", "gather_backward", {}, &PrepareGatherBackward);
  // Moving, comparing and adding words need no 64-bit types of the device.
  gather.supports = &HasIntegerIndices;
  one_hot.supports = &HasIntegerIndices;
  backward.supports = [](const KernelRequest& request) {
    const auto& device = static_cast<const VulkanDevice&>(request.device);
    return HasIntegerIndices(request) &&
           (request.inputs[0].spec.dtype != DType::kF64 || device.capabilities().float64);
  };
  TANDEM_RETURN_IF_ERROR(registry->Register(std::move(gather)));
  TANDEM_RETURN_IF_ERROR(registry->Register(std::move(one_hot)));
  return registry->Register(std::move(backward));
}

}  // namespace tandem::vulkan_backend
