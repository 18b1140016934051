#include "tandem/backends/null/null_kernel.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/backends/null/null_device.h"

namespace tandem::null_backend {
namespace {

// The bytes that a layout touches, relative to the start of the view.
struct ByteRange {
  int64_t offset = 0;
  int64_t size = 0;
};

ByteRange RangeOf(const TensorLayout& layout) {
  if (layout.spec.shape.num_elements() == 0) return {};
  int64_t low = layout.offset, high = layout.offset;
  for (int d = 0; d < layout.spec.shape.rank(); ++d) {
    const int64_t reach = (layout.spec.shape[d] - 1) * layout.strides[d];
    (reach < 0 ? low : high) += reach;
  }
  const int64_t element = DTypeSize(layout.spec.dtype);
  return {low * element, (high - low + 1) * element};
}

class NullKernel final : public PreparedKernel {
 public:
  explicit NullKernel(const KernelRequest& request)
      : program_(MakeRef<NullProgram>(request.op.name)) {
    for (const TensorLayout& input : request.inputs) ranges_.push_back(RangeOf(input));
    for (const TensorLayout& output : request.outputs) ranges_.push_back(RangeOf(output));
  }

  std::string description() const override { return "null"; }
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    if (inputs.size() + outputs.size() != ranges_.size()) {
      return absl::InvalidArgumentError(absl::StrCat(program_->name(), ": prepared for ",
                                                     ranges_.size(), " tensors, ",
                                                     inputs.size() + outputs.size(), " given"));
    }
    std::vector<BufferView> bindings(inputs.begin(), inputs.end());
    bindings.insert(bindings.end(), outputs.begin(), outputs.end());
    for (size_t i = 0; i < bindings.size(); ++i) {
      BufferView& view = bindings[i];
      if (ranges_[i].offset < 0 || ranges_[i].offset > view.size - ranges_[i].size) {
        return absl::InvalidArgumentError(
            absl::StrCat(program_->name(), ": tensor ", i, " needs ", ranges_[i].size,
                         " bytes from ", ranges_[i].offset, ", its view has ", view.size));
      }
      view.offset += ranges_[i].offset;
      view.size = ranges_[i].size;
    }
    // A dispatch takes 64 bindings; more inputs are read by several dispatches before the last.
    const uint64_t all = ~uint64_t{0};
    absl::Span<const BufferView> rest = bindings;
    while (rest.size() > 64 && rest.size() - outputs.size() > 32) {
      const absl::Status status = recorder.Record({.program = program_.get(),
                                                   .bindings = rest.subspan(0, 32),
                                                   .reads = all >> 32,
                                                   .constants = {}});
      if (!status.ok()) return status;
      rest.remove_prefix(32);
    }
    if (rest.size() > 64) return absl::UnimplementedError("an op of more than 32 outputs");
    if (rest.empty()) return absl::OkStatus();
    const uint64_t known = all >> (64 - rest.size());
    const size_t reads = rest.size() - outputs.size();
    const uint64_t read = reads == 0 ? 0 : all >> (64 - reads);
    return recorder.Record({.program = program_.get(),
                            .bindings = rest,
                            .reads = read,
                            .writes = known & ~read,
                            .constants = {}});
  }

 private:
  const Ref<const NullProgram> program_;
  std::vector<ByteRange> ranges_;
};

}  // namespace

absl::Status RegisterNullKernel(KernelRegistry* kernels) {
  KernelDef def;
  def.op = "*";
  def.name = "null";
  def.device = NullDeviceType();
  def.strided_inputs = true;
  def.prepare = [](const KernelRequest& request) -> absl::StatusOr<Ref<const PreparedKernel>> {
    return Ref<const PreparedKernel>(MakeRef<const NullKernel>(request));
  };
  return kernels->Register(std::move(def));
}

}  // namespace tandem::null_backend
