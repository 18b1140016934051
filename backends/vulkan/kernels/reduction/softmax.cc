#include "tandem/backends/vulkan/kernels/reduction/softmax.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/floating_point.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/kernels/reduction/cross_entropy_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/cross_entropy_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/cross_entropy_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/cross_entropy_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/cross_entropy_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/cross_entropy_subgroup_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/lane_plan.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax_subgroup_shaders.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::vulkan_backend {
namespace {

template <bool kLog>
absl::StatusOr<Ref<const PreparedKernel>> PrepareSoftmax(const KernelRequest& request) {
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, Movement()));
  TANDEM_ASSIGN_OR_RETURN(
      const AxisGeometry axis,
      AxisGeometry::Create(request.inputs[0].spec.shape, request.attrs.Int("axis")));
  KernelBuilder b(request, request.op.name);
  if (axis.size == 0) return b.Finish();
  const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
  const LanePlan plan = LanePlan::ForLines(b.capabilities(), axis);
  TANDEM_RETURN_IF_ERROR(plan.CheckLines(b.capabilities(), request.op.name, axis.size));
  const Operand x = b.InputAs(0, type.stored);
  const Operand y = b.OutputAs(0, type.stored);
  b.Dispatch(TANDEM_LANE_SHADERS(Softmax, plan.subgroups).For(type),
             {plan.group, plan.lanes, plan.columns, kLog}, {Read(x), Write(y)}, LineConstants(axis),
             plan.Grid(axis.outer * axis.inner));
  b.Describe(absl::StrCat(request.op.name, ", ", plan.ToString()));
  return b.Finish();
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareCrossEntropy(const KernelRequest& request) {
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, Movement()));
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis,
                          AxisGeometry::Create(request.inputs[0].spec.shape, -1));
  KernelBuilder b(request, "cross_entropy");
  const ElementType type = ElementType::Of(b.capabilities(), request.inputs[0].spec.dtype);
  const LanePlan plan = LanePlan::ForLines(b.capabilities(), axis);
  TANDEM_RETURN_IF_ERROR(plan.CheckLines(b.capabilities(), request.op.name, axis.size));
  const Operand x = b.InputAs(0, type.stored);
  const IndexOperand labels = IndicesOf(b, request, 1);
  const Operand loss = b.OutputAs(0, type.compute);
  b.Dispatch(TANDEM_LANE_SHADERS(CrossEntropy, plan.subgroups).For(type),
             {plan.group, plan.lanes, plan.columns, labels.words},
             {Read(x), Read(labels.operand), Write(loss)}, LineConstants(axis),
             plan.Grid(axis.outer));
  b.Describe(absl::StrCat("cross_entropy, ", plan.ToString()));
  return b.Finish();
}

}  // namespace

absl::Status RegisterSoftmaxKernels(KernelRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(registry->Register(
      VulkanKernelDef("softmax", "softmax", FloatTypes(), &PrepareSoftmax<false>)));
  TANDEM_RETURN_IF_ERROR(registry->Register(
      VulkanKernelDef("log_softmax", "log_softmax", FloatTypes(), &PrepareSoftmax<true>)));
  KernelDef cross_entropy =
      VulkanKernelDef("cross_entropy", "cross_entropy", FloatTypes(), &PrepareCrossEntropy);
  // 64-bit labels are read as pairs of words, whether the device has 64-bit integers or not.
  cross_entropy.supports = [](const KernelRequest& request) {
    return ComputesFloatsOfInput(request) && HasIntegerIndices(request);
  };
  return registry->Register(std::move(cross_entropy));
}

}  // namespace tandem::vulkan_backend
