#include "tandem/backends/vulkan/elementwise/convert.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/elementwise/elementwise_plan.h"
#include "tandem/backends/vulkan/elementwise/glsl_printer.h"
#include "tandem/backends/vulkan/programs/program_cache.h"
#include "tandem/backends/vulkan/programs/shader_compiler.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/scalar_expr.h"

namespace tandem::vulkan_backend {
namespace {

// Four elements an invocation, for any dtype.
constexpr int kWidth = 4;

absl::StatusOr<const Shader*> ConvertShader(VulkanDevice& device, DType from, DType to) {
  ScalarBuilder b;
  b.Output(b.Cast(b.Input(0, from), ComputeType(to)), to);
  TANDEM_ASSIGN_OR_RETURN(const ScalarExpr expr, b.Finish());
  if (!CanCompute(expr, device.capabilities())) {
    return absl::UnimplementedError(absl::StrCat("vulkan: this device cannot convert ",
                                                 DTypeName(from), " to ", DTypeName(to),
                                                 ": it lacks 64-bit arithmetic of that kind"));
  }
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kVector};
  variant.width = kWidth;
  variant.keeps_nan = device.capabilities().keeps_nan;
  variant.keeps_denormals = device.capabilities().keeps_denormals;
  TANDEM_ASSIGN_OR_RETURN(GlslSource source, PrintElementwise(expr, variant));
  source.name = absl::StrCat("convert_", DTypeName(from), "_", DTypeName(to));
  return device.compiler().Compile(source);
}

}  // namespace

absl::StatusOr<Ref<const VulkanProgram>> ConvertProgram(VulkanDevice& device, DType from,
                                                        DType to) {
  // Shaders live as long as the process, whatever device they were first made for; but whether a
  // device can run them is to be asked each time.
  thread_local std::array<const Shader*, 4 * kNumDTypes* kNumDTypes> shaders = {};
  const Capabilities& capabilities = device.capabilities();
  const int controls = (capabilities.keeps_nan ? 1 : 0) + (capabilities.keeps_denormals ? 2 : 0);
  const Shader*& shader =
      shaders[(controls * kNumDTypes + static_cast<int>(from)) * kNumDTypes + static_cast<int>(to)];
  const bool certain = capabilities.float64 && capabilities.int64;
  if (shader == nullptr || !certain) {
    TANDEM_ASSIGN_OR_RETURN(const Shader* found, ConvertShader(device, from, to));
    shader = found;
  }
  return device.programs().Get(*shader, {kElementwiseGroup});
}

int64_t ConvertGroups(int64_t count) {
  constexpr int64_t kPerGroup = int64_t{kWidth} * kElementwiseGroup;
  return (count + kPerGroup - 1) / kPerGroup;
}

}  // namespace tandem::vulkan_backend
