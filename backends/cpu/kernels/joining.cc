#include "tandem/backends/cpu/kernels/joining.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::cpu_backend {
namespace {

// One input's part of the result: `outer` runs of `run` bytes, `pitch` bytes apart in the result.
struct JoinParams {
  int64_t outer;
  int64_t run;
  int64_t pitch;
  int64_t offset;
};

void CopyRuns(const JoinParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const std::byte* from = buffers[0];
  std::byte* to = buffers[1] + p.offset;
  pool.ParallelFor(p.outer, GrainFor(p.run / 4 + 8), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::memcpy(to + i * p.pitch, from + i * p.run, p.run);
  });
}

// One dispatch for each input, so that their number has no limit.
class JoinKernel final : public PreparedKernel {
 public:
  explicit JoinKernel(std::vector<Ref<const PreparedKernel>> parts) : parts_(std::move(parts)) {}

  std::string description() const override { return "join"; }
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i] == nullptr) continue;
      TANDEM_RETURN_IF_ERROR(parts_[i]->Record(recorder, inputs.subspan(i, 1), outputs, workspace));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<Ref<const PreparedKernel>> parts_;  // null: nothing to copy
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareJoin(const KernelRequest& request) {
  const TensorSpec& result = request.outputs[0].spec;
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis,
                          AxisGeometry::Create(result.shape, request.attrs.Int("axis")));
  const int64_t element = DTypeSize(result.dtype);
  const int64_t pitch = axis.size * axis.inner * element;
  std::vector<Ref<const PreparedKernel>> parts;
  parts.reserve(request.inputs.size());
  int64_t offset = 0;
  for (const TensorLayout& input : request.inputs) {
    const int64_t elements = input.spec.shape.num_elements();
    if (elements == 0) {
      parts.emplace_back();
      continue;
    }
    const JoinParams params = {axis.outer, elements / axis.outer * element, pitch, offset};
    parts.push_back(MakeCpuKernel("join", params, &CopyRuns));
    offset += params.run;
  }
  return Ref<const PreparedKernel>(MakeRef<JoinKernel>(std::move(parts)));
}

}  // namespace

absl::Status RegisterJoiningKernels(KernelRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(registry->Register(CpuKernelDef("concat", "concat", {}, &PrepareJoin)));
  return registry->Register(CpuKernelDef("stack", "stack", {}, &PrepareJoin));
}

}  // namespace tandem::cpu_backend
