// From the layouts of an elementwise kernel's operands to the shader it needs and the shader's
// parameters.
//
//   TANDEM_ASSIGN_OR_RETURN(const ElementwisePlan plan,
//                           PlanElementwise("add", inputs, outputs, device.capabilities()));
//   // PrintElementwise(expr, plan.variant), then push constants plan.parameters.
//
// Dimensions that all strided inputs step over alike are joined, so that most broadcasts have one or
// two. A binding of an input starts near its first element, so that a small view of a large buffer
// binds little.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_ELEMENTWISE_ELEMENTWISE_PLAN_H_
#define TANDEM_BACKENDS_VULKAN_ELEMENTWISE_ELEMENTWISE_PLAN_H_

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/elementwise/glsl_printer.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::vulkan_backend {

// Invocations of a work group of elementwise shaders.
inline constexpr uint32_t kElementwiseGroup = 128;

// Push constants are 32 bits wide and must count bytes of a binding.
inline constexpr int64_t kMaxElementwise = (int64_t{1} << 31) - 1;

struct ElementwisePlan {
  struct Range {
    int64_t offset = 0;  // bytes from the start of the input's view
    int64_t size = 0;    // bytes
  };
  ElementwiseVariant variant;
  absl::InlinedVector<uint32_t, kMaxPushConstants / 4> parameters;
  absl::InlinedVector<Range, 4> inputs;  // what is bound of them
  int64_t groups = 0;                    // work groups
};

// Outputs are contiguous and have the same shape; inputs broadcast to it. `width` is 1 or 4; 0
// is 4, which is faster on GPUs and, with fewer invocations to manage, on CPUs. INVALID_ARGUMENT if an input does not broadcast; RESOURCE_EXHAUSTED if there
// are 2^31 or more elements, or more bytes than the device binds.
absl::StatusOr<ElementwisePlan> PlanElementwise(absl::string_view name,
                                                absl::Span<const TensorLayout> inputs,
                                                absl::Span<const TensorLayout> outputs,
                                                const Capabilities& capabilities, int width = 0);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_ELEMENTWISE_ELEMENTWISE_PLAN_H_
