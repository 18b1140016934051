#include "tandem/backends/vulkan/kernels/movement/joining.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/kernels/movement/join_shaders.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::vulkan_backend {
namespace {

constexpr size_t kInputs = 3;  // of a dispatch

struct JoinConstants {
  uint32_t total;
  FastDivisor width;
  std::array<uint32_t, kInputs> runs;
  uint32_t pitch;
  uint32_t offset;
};

// An input that has elements, and how many of them stand in a row of the result.
struct Part {
  int input;
  int64_t run;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareJoin(const KernelRequest& request) {
  KernelBuilder b(request, request.op.name);
  const TensorSpec& y = request.outputs[0].spec;
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis,
                          AxisGeometry::Create(y.shape, request.attrs.Int("axis")));
  std::vector<Part> parts;
  std::vector<int64_t> runs;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const int64_t elements = request.inputs[i].spec.shape.num_elements();
    if (elements == 0) continue;
    parts.push_back({static_cast<int>(i), elements / axis.outer});
    runs.push_back(elements / axis.outer);
  }
  if (parts.empty()) return b.Finish();
  const Movement move = Movement::OfRuns(b.capabilities(), y.dtype, runs);
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, move));
  const uint32_t group = GroupSize(b.capabilities());
  const Operand output = b.OutputAs(0, move.dtype);
  int64_t offset = 0;
  for (size_t first = 0; first < parts.size(); first += kInputs) {
    const size_t n = std::min(kInputs, parts.size() - first);
    JoinConstants constants = {};
    // Bindings that are not used name the first input again; nothing is read from them.
    const Operand first_input = b.InputAs(parts[first].input, move.dtype);
    std::array<Operand, kInputs> inputs = {first_input, first_input, first_input};
    int64_t width = 0;
    for (size_t i = 0; i < n; ++i) {
      const Part& part = parts[first + i];
      if (i > 0) inputs[i] = b.InputAs(part.input, move.dtype);
      constants.runs[i] = static_cast<uint32_t>(move.Units(part.run));
      width += move.Units(part.run);
    }
    constants.total = static_cast<uint32_t>(axis.outer * width);
    constants.width = FastDivisor(width);
    constants.pitch = static_cast<uint32_t>(move.Units(axis.size * axis.inner));
    constants.offset = static_cast<uint32_t>(offset);
    offset += width;
    b.Dispatch(JoinShader(move.unit), {group},
               {Read(inputs[0]), Read(inputs[1]), Read(inputs[2]), Write(output)}, constants,
               GroupsFor(axis.outer * width, group));
  }
  b.Describe(absl::StrCat("join, ", move.unit, "-byte units"));
  return b.Finish();
}

}  // namespace

absl::Status RegisterJoiningKernels(KernelRegistry* registry) {
  for (const char* op : {"concat", "stack"}) {
    KernelDef def = VulkanKernelDef(op, op, {}, &PrepareJoin);
    def.supports = nullptr;  // moves elements of any dtype, also of one that the device lacks
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
