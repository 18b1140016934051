#include "tandem/backends/vulkan/kernels/reduction/normalization.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/floating_point.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/kernels/reduction/channel_moments_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/channel_moments_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/channel_moments_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/channel_moments_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/channel_moments_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/channel_moments_subgroup_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/channel_statistics_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/lane_plan.h"
#include "tandem/backends/vulkan/kernels/reduction/layer_norm_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/layer_norm_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/layer_norm_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/layer_norm_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/layer_norm_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/layer_norm_subgroup_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/normalize_channels_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/normalize_channels_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/normalize_channels_shaders.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::vulkan_backend {
namespace {

absl::StatusOr<AxisGeometry> AxisOf(const KernelRequest& request) {
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, Movement()));
  return AxisGeometry::Create(request.inputs[0].spec.shape, request.attrs.Int("axis"));
}

// --- batch_norm -----------------------------------------------------------------------------------

constexpr int64_t kElementsOfInvocation = 4;  // of normalize_channels.comp

struct MomentsConstants {
  uint32_t channels;
  uint32_t count;
  uint32_t part_count;
  FastDivisor inner;
};

struct StatisticsConstants {
  uint32_t channels;
  uint32_t count;
  uint32_t part_count;
  uint32_t parts;
  NumberBits epsilon;
  NumberBits momentum;
};

struct NormalizeConstants {
  uint32_t total;
  FastDivisor inner;
  FastDivisor channels;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareBatchNorm(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis, AxisOf(request));
  KernelBuilder b(request, "batch_norm");
  const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
  const int64_t channels = axis.size;
  const int64_t count = axis.outer * axis.inner;
  const uint32_t group = GroupSize(b.capabilities());
  const Operand x = b.InputAs(0, type.stored);
  const Operand gamma = b.InputAs(1, type.compute);
  const Operand beta = b.InputAs(2, type.compute);
  const Operand running_mean = b.InputAs(3, type.compute);
  const Operand running_variance = b.InputAs(4, type.compute);
  const Operand y = b.OutputAs(0, type.stored);
  const Operand batch_mean = b.OutputAs(3, type.compute);
  const Operand batch_rstd = b.OutputAs(4, type.compute);

  StatisticsConstants statistics = {};
  statistics.channels = static_cast<uint32_t>(channels);
  statistics.count = static_cast<uint32_t>(count);
  statistics.epsilon = NumberBits(type.compute, request.attrs.Double("epsilon"));
  statistics.momentum = NumberBits(type.compute, request.attrs.Double("momentum"));
  Operand moments = running_mean;  // nothing is read from it if there are no parts
  std::string description = "batch_norm, running statistics";
  if (request.attrs.Bool("training") && channels > 0 && count > 0) {
    const LanePlan plan = axis.inner == 1 ? LanePlan::ForColumns(b.capabilities(), count, channels)
                                          : LanePlan::ForRows(b.capabilities(), count);
    const int64_t parts = plan.PartsFor(b.capabilities(), channels, count);
    const int64_t part_count = DivideRoundUp(count, parts);
    moments = b.Workspace(2 * parts * channels * DTypeSize(type.compute));
    b.Dispatch(TANDEM_LANE_SHADERS(ChannelMoments, plan.subgroups).For(type),
               {plan.group, plan.lanes, plan.columns}, {Read(x), Write(moments)},
               MomentsConstants{statistics.channels, statistics.count,
                                static_cast<uint32_t>(part_count), FastDivisor(axis.inner)},
               plan.Grid(channels, parts));
    statistics.part_count = static_cast<uint32_t>(part_count);
    statistics.parts = static_cast<uint32_t>(parts);
    description = absl::StrCat("batch_norm, ", plan.ToString(), ", ", parts, " parts");
  }
  b.Dispatch(ChannelStatisticsShader(type.compute), {group},
             {Read(moments), Read(running_mean), Read(running_variance),
              Write(b.OutputAs(1, type.compute)), Write(b.OutputAs(2, type.compute)),
              Write(batch_mean), Write(batch_rstd)},
             statistics, GroupsFor(channels, group));
  const int64_t total = channels * count;
  b.Dispatch(TANDEM_FLOAT_SHADERS(NormalizeChannels).For(type), {group},
             {Read(x), Read(batch_mean), Read(batch_rstd), Read(gamma), Read(beta), Write(y)},
             NormalizeConstants{static_cast<uint32_t>(total), FastDivisor(axis.inner),
                                FastDivisor(channels)},
             GroupsFor(total, group * kElementsOfInvocation));
  b.Describe(std::move(description));
  return b.Finish();
}

// --- layer_norm -----------------------------------------------------------------------------------

struct LayerNormConstants {
  LineConstants line;
  NumberBits epsilon;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareLayerNorm(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis, AxisOf(request));
  KernelBuilder b(request, "layer_norm");
  const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
  const LanePlan plan = LanePlan::ForLines(b.capabilities(), axis);
  TANDEM_RETURN_IF_ERROR(plan.CheckLines(b.capabilities(), "layer_norm", axis.size));
  const Operand x = b.InputAs(0, type.stored);
  const Operand gamma = b.InputAs(1, type.compute);
  const Operand beta = b.InputAs(2, type.compute);
  b.Dispatch(TANDEM_LANE_SHADERS(LayerNorm, plan.subgroups).For(type),
             {plan.group, plan.lanes, plan.columns},
             {Read(x), Read(gamma), Read(beta), Write(b.OutputAs(0, type.stored)),
              Write(b.OutputAs(1, type.compute)), Write(b.OutputAs(2, type.compute))},
             LayerNormConstants{LineConstants(axis),
                                NumberBits(type.compute, request.attrs.Double("epsilon"))},
             plan.Grid(axis.outer * axis.inner));
  b.Describe(absl::StrCat("layer_norm, ", plan.ToString()));
  return b.Finish();
}

}  // namespace

absl::Status RegisterNormalizationKernels(KernelRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(registry->Register(
      VulkanKernelDef("batch_norm", "batch_norm", FloatTypes(), &PrepareBatchNorm)));
  return registry->Register(
      VulkanKernelDef("layer_norm", "layer_norm", FloatTypes(), &PrepareLayerNorm));
}

}  // namespace tandem::vulkan_backend
