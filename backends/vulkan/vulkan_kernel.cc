#include "tandem/backends/vulkan/vulkan_kernel.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/elementwise/convert.h"
#include "tandem/backends/vulkan/programs/program_cache.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr int64_t kMaxGridAxis = 65535;

}  // namespace

std::array<uint32_t, 3> LinearGrid(int64_t groups) {
  if (groups <= 0) return {0, 0, 0};
  const int64_t y = DivideRoundUp(groups, kMaxGridAxis);
  // As even as can be, so that few groups are beyond the last. Beyond 2^32 - 1 groups the grid has
  // an axis that is too long, and recording it is an error.
  const int64_t x = DivideRoundUp(groups, y);
  return {static_cast<uint32_t>(x), static_cast<uint32_t>(std::min<int64_t>(y, UINT32_MAX)), 1};
}

std::array<uint32_t, 3> GroupsFor(int64_t n, int64_t size) {
  return LinearGrid(n <= 0 ? 0 : DivideRoundUp(n, size));
}

// The steps, and what they work on.
class KernelBuilder::Kernel final : public PreparedKernel {
 public:
  struct Step {
    Ref<const VulkanProgram> program;  // null: a fill
    uint32_t first_access;
    uint32_t num_accesses;
    uint32_t first_constant;
    uint32_t constants_bytes;
    uint64_t reads;
    uint64_t writes;
    std::array<uint32_t, 3> grid;
    uint32_t pattern;
  };

  int64_t workspace_bytes() const override { return workspace; }
  std::string description() const override { return text; }
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override;

  std::string text;
  int64_t workspace = 0;  // bytes
  absl::InlinedVector<Step, 2> steps;
  absl::InlinedVector<Operand, 8> operands;
  absl::InlinedVector<std::byte, 128> constants;
};

absl::Status KernelBuilder::Kernel::Record(CommandRecorder& recorder,
                                           absl::Span<const BufferView> inputs,
                                           absl::Span<const BufferView> outputs,
                                           const BufferView& workspace) const {
  absl::InlinedVector<BufferView, 16> views;
  for (const Step& step : steps) {
    views.resize(step.num_accesses);
    for (uint32_t i = 0; i < step.num_accesses; ++i) {
      const Operand& operand = operands[step.first_access + i];
      BufferView& view = views[i];
      const absl::Span<const BufferView> of = operand.kind == Operand::Kind::kInput ? inputs
                                              : operand.kind == Operand::Kind::kOutput
                                                  ? outputs
                                                  : absl::MakeConstSpan(&workspace, 1);
      if (static_cast<size_t>(operand.index) >= of.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat(text, ": recorded without the buffer ", operand.index, " of ", of.size()));
      }
      view = of[operand.index];
      const int64_t rest = view.size - operand.offset;
      if (rest < 0 || operand.size > rest) {
        return absl::InvalidArgumentError(
            absl::StrCat(text, ": recorded with a buffer of ", view.size, " bytes; needed are ",
                         operand.offset + std::max<int64_t>(operand.size, 0)));
      }
      view.offset += operand.offset;
      view.size = operand.size < 0 ? rest : operand.size;
    }
    if (step.program == nullptr) {
      TANDEM_RETURN_IF_ERROR(recorder.Fill(views[0], step.pattern));
      continue;
    }
    TANDEM_RETURN_IF_ERROR(recorder.Record(
        {.program = step.program.get(),
         .bindings = views,
         .reads = step.reads,
         .writes = step.writes,
         .constants = {constants.data() + step.first_constant, step.constants_bytes},
         .grid = step.grid}));
  }
  return absl::OkStatus();
}

KernelBuilder::KernelBuilder(const KernelRequest& request, std::string name)
    : request_(request),
      device_(static_cast<VulkanDevice&>(request.device)),
      name_(std::move(name)),
      kernel_(MakeRef<Kernel>()) {}

KernelBuilder::~KernelBuilder() = default;

const Capabilities& KernelBuilder::capabilities() const { return device_.capabilities(); }

Operand KernelBuilder::Input(int index) const { return {Operand::Kind::kInput, index, 0, -1}; }

Operand KernelBuilder::Output(int index) const { return {Operand::Kind::kOutput, index, 0, -1}; }

Operand KernelBuilder::Workspace(int64_t bytes) {
  if (bytes < 0) {
    Fail(absl::InternalError(absl::StrCat("a workspace of ", bytes, " bytes")));
    return {};
  }
  const int64_t offset = kernel_->workspace;
  // At least one granule, so that parts never share a word.
  absl::StatusOr<int64_t> end = CheckedAdd(offset, std::max<int64_t>(bytes, 1));
  if (end.ok()) end = CheckedAlignUp(*end, device_.info().alignment);
  if (!end.ok()) {
    Fail(end.status());
    return {};
  }
  kernel_->workspace = *end;
  return {Operand::Kind::kWorkspace, 0, offset, bytes};
}

Operand KernelBuilder::InputAs(int index, DType dtype) {
  if (static_cast<size_t>(index) >= request_.inputs.size()) {
    Fail(absl::InternalError(absl::StrCat("input ", index, " of ", request_.inputs.size())));
    return {};
  }
  const TensorLayout& layout = request_.inputs[index];
  if (!layout.is_contiguous()) {
    Fail(absl::InternalError(absl::StrCat("input ", index,
                                          " is strided; it is read as if it were "
                                          "contiguous")));
    return {};
  }
  const TensorSpec& spec = layout.spec;
  // A bool is a byte, 0 or 1.
  const bool same = spec.dtype == dtype || (spec.dtype == DType::kBool && dtype == DType::kU8);
  if (same && layout.offset == 0) return Input(index);
  const absl::StatusOr<int64_t> bytes = CheckedMul(spec.shape.num_elements(), DTypeSize(dtype));
  if (!bytes.ok()) {
    Fail(bytes.status());
    return {};
  }
  if (same) {
    const int64_t offset = layout.offset * DTypeSize(dtype);
    if (offset % capabilities().storage_alignment == 0) {
      return {Operand::Kind::kInput, index, offset, *bytes};
    }
  }
  const Operand to = Workspace(*bytes);
  Convert(Input(index), spec.dtype, to, dtype, spec.shape.num_elements(), layout.offset);
  return to;
}

Operand KernelBuilder::OutputAs(int index, DType dtype) {
  if (static_cast<size_t>(index) >= request_.outputs.size()) {
    Fail(absl::InternalError(absl::StrCat("output ", index, " of ", request_.outputs.size())));
    return {};
  }
  const TensorSpec& spec = request_.outputs[index].spec;
  if (spec.dtype == dtype) return Output(index);
  const absl::StatusOr<int64_t> bytes = CheckedMul(spec.shape.num_elements(), DTypeSize(dtype));
  if (!bytes.ok()) {
    Fail(bytes.status());
    return {};
  }
  const Operand from = Workspace(*bytes);
  conversions_.push_back({from, dtype, index});
  return from;
}

void KernelBuilder::Convert(const Operand& from, DType from_dtype, const Operand& to,
                            DType to_dtype, int64_t count, int64_t first) {
  if (!status_.ok() || count == 0) return;
  if (count < 0 || first < 0 || first >= (int64_t{1} << 31) - count) {
    Fail(absl::ResourceExhaustedError(absl::StrCat(
        "a conversion of ", count, " elements from element ", first, " on; below 2^31")));
    return;
  }
  absl::StatusOr<Ref<const VulkanProgram>> program = ConvertProgram(device_, from_dtype, to_dtype);
  if (!program.ok()) {
    Fail(program.status());
    return;
  }
  ConvertConstants constants(count);
  constants.first = static_cast<uint32_t>(first);
  DispatchProgram(*std::move(program), {Read(from), Write(to)}, BytesOf(constants),
                  LinearGrid(ConvertGroups(count)));
}

void KernelBuilder::DispatchBytes(const Shader* shader, absl::Span<const uint32_t> specialization,
                                  absl::Span<const Access> accesses,
                                  absl::Span<const std::byte> constants,
                                  const std::array<uint32_t, 3>& grid) {
  if (!status_.ok()) return;
  if (shader == nullptr) {
    Fail(absl::InternalError("there is no shader for this type"));
    return;
  }
  absl::StatusOr<Ref<const VulkanProgram>> program =
      device_.programs().Get(*shader, specialization);
  if (!program.ok()) {
    Fail(program.status());
    return;
  }
  DispatchProgram(*std::move(program), accesses, constants, grid);
}

void KernelBuilder::DispatchProgram(Ref<const VulkanProgram> program,
                                    absl::Span<const Access> accesses,
                                    absl::Span<const std::byte> constants,
                                    const std::array<uint32_t, 3>& grid) {
  if (!status_.ok()) return;
  if (program == nullptr) {
    Fail(absl::InternalError("a dispatch has no program"));
    return;
  }
  const Shader& shader = program->shader();
  if (static_cast<int>(accesses.size()) != shader.num_bindings ||
      constants.size() != shader.constants_bytes) {
    Fail(absl::InternalError(absl::StrCat("shader ", shader.name, " has ", shader.num_bindings,
                                          " buffers and ", shader.constants_bytes,
                                          " bytes of constants, not ", accesses.size(), " and ",
                                          constants.size())));
    return;
  }
  if (std::find(grid.begin(), grid.end(), 0) != grid.end()) return;
  Append(std::move(program), accesses, constants, grid, 0);
}

void KernelBuilder::Fill(const Operand& to, uint32_t pattern) {
  if (to.size != 0) Append(nullptr, {Write(to)}, {}, {1, 1, 1}, pattern);
}

void KernelBuilder::Append(Ref<const VulkanProgram> program, absl::Span<const Access> accesses,
                           absl::Span<const std::byte> constants,
                           const std::array<uint32_t, 3>& grid, uint32_t pattern) {
  if (!status_.ok()) return;
  Kernel::Step& step = kernel_->steps.emplace_back();
  step.first_access = static_cast<uint32_t>(kernel_->operands.size());
  step.num_accesses = static_cast<uint32_t>(accesses.size());
  step.first_constant = static_cast<uint32_t>(kernel_->constants.size());
  step.constants_bytes = static_cast<uint32_t>(constants.size());
  step.reads = 0;
  step.writes = 0;
  step.grid = grid;
  step.pattern = pattern;
  step.program = std::move(program);
  kernel_->constants.insert(kernel_->constants.end(), constants.begin(), constants.end());
  for (size_t i = 0; i < accesses.size(); ++i) {
    kernel_->operands.push_back(accesses[i].operand);
    step.reads |= uint64_t{accesses[i].read} << i;
    step.writes |= uint64_t{accesses[i].write} << i;
  }
}

void KernelBuilder::Describe(std::string description) { kernel_->text = std::move(description); }

void KernelBuilder::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

absl::StatusOr<Ref<const PreparedKernel>> KernelBuilder::Finish() {
  for (const PendingConversion& conversion : conversions_) {
    const TensorSpec& spec = request_.outputs[conversion.output].spec;
    Convert(conversion.from, conversion.from_dtype, Output(conversion.output), spec.dtype,
            spec.shape.num_elements());
  }
  if (!status_.ok()) return Annotate(status_, absl::StrCat("vulkan kernel ", name_));
  if (kernel_->text.empty()) kernel_->text = name_;
  return Ref<const PreparedKernel>(std::move(kernel_));
}

KernelDef VulkanKernelDef(
    std::string op, std::string name, std::vector<DType> dtypes,
    absl::StatusOr<Ref<const PreparedKernel>> (*prepare)(const KernelRequest& request)) {
  KernelDef def;
  def.op = std::move(op);
  def.name = std::move(name);
  def.device = VulkanDeviceType();
  def.dtypes = std::move(dtypes);
  def.prepare = prepare;
  def.supports = [](const KernelRequest& request) {
    const Capabilities& capabilities =
        static_cast<const VulkanDevice&>(request.device).capabilities();
    const auto computes = [&](const TensorLayout& layout) {
      return capabilities.Computes(layout.spec.dtype);
    };
    return std::all_of(request.inputs.begin(), request.inputs.end(), computes) &&
           std::all_of(request.outputs.begin(), request.outputs.end(), computes);
  };
  return def;
}

}  // namespace tandem::vulkan_backend
