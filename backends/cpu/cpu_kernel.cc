#include "tandem/backends/cpu/cpu_kernel.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tandem::cpu_backend {

absl::Status RecordCpuDispatch(const CpuProgram& program, absl::Span<const std::byte> constants,
                               CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                               absl::Span<const BufferView> outputs, const BufferView& workspace) {
  const bool has_workspace = workspace.buffer != nullptr || workspace.is_slot();
  const size_t count = inputs.size() + outputs.size() + has_workspace;
  if (count > kMaxBindings) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel '", program.name(), "' has ", inputs.size(), " inputs and ",
                     outputs.size(), " outputs; one dispatch takes ", kMaxBindings,
                     " buffers. Split the op, or record several dispatches"));
  }
  // Raw storage: to initialise all views would cost more than a small kernel.
  static_assert(std::is_trivially_copyable_v<BufferView>);
  alignas(BufferView) std::byte storage[kMaxBindings * sizeof(BufferView)];
  auto* bindings = reinterpret_cast<BufferView*>(storage);
  BufferView* end = std::uninitialized_copy(inputs.begin(), inputs.end(), bindings);
  end = std::uninitialized_copy(outputs.begin(), outputs.end(), end);
  if (has_workspace) std::uninitialized_copy_n(&workspace, 1, end);
  static_assert(kMaxBindings <= 64, "reads and writes are masks");
  // Shifts of at most 64 bits in two steps: a shift by the full width is undefined.
  const uint64_t all = count == 0 ? 0 : ~uint64_t{0} >> (64 - count);
  const uint64_t input_mask = inputs.empty() ? 0 : ~uint64_t{0} >> (64 - inputs.size());
  const uint64_t workspace_mask = has_workspace ? uint64_t{1} << (count - 1) : 0;
  return recorder.Record({.program = &program,
                          .bindings = absl::MakeConstSpan(bindings, count),
                          .reads = input_mask | workspace_mask,
                          .writes = all & ~input_mask,
                          .constants = constants});
}

KernelDef CpuKernelDef(
    std::string op, std::string name, std::vector<DType> dtypes,
    absl::StatusOr<Ref<const PreparedKernel>> (*prepare)(const KernelRequest& request)) {
  KernelDef def;
  def.op = std::move(op);
  def.name = std::move(name);
  def.device = CpuDeviceType();
  def.dtypes = std::move(dtypes);
  def.prepare = prepare;
  return def;
}

}  // namespace tandem::cpu_backend
