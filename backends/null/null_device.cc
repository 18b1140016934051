#include "tandem/backends/null/null_device.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::null_backend {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int kMaxSlots = 1 << 20;
constexpr size_t kMaxBindings = 64;

// What all buffers together may take.
int64_t PhysicalMemory() {
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page = sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page > 0 ? pages * page : int64_t{1} << 40;
}

class NullBuffer final : public Buffer {
 public:
  NullBuffer(DeviceId device, MemoryKind kind, int64_t size, std::byte* memory,
             std::shared_ptr<HazardChecker> checker)
      : Buffer(device, kind, size), memory_(memory), checker_(std::move(checker)), number_(Next()) {
    checker_->Add(number_, size);
  }
  ~NullBuffer() override {
    checker_->Remove(number_);
    free(memory_);
  }

  bool host_visible() const override { return true; }
  absl::StatusOr<std::byte*> Map() override {
    checker_->MarkWritten(number_);
    const auto address = reinterpret_cast<uintptr_t>(memory_);
    return memory_ + (kAlignment - address % kAlignment) % kAlignment;
  }
  // Never the same for two buffers of a process, unlike an address.
  int64_t number() const { return number_; }

 private:
  static int64_t Next() {
    static std::atomic<int64_t> next{0};
    return next.fetch_add(1, std::memory_order_relaxed);
  }

  std::byte* const memory_;  // room for `size` bytes from its first aligned address
  const std::shared_ptr<HazardChecker> checker_;
  const int64_t number_;
};

class NullAllocator final : public Allocator {
 public:
  NullAllocator(DeviceId device, std::shared_ptr<HazardChecker> checker)
      : device_(device), checker_(std::move(checker)) {}

  absl::StatusOr<Ref<Buffer>> Allocate(int64_t bytes, MemoryKind kind) override {
    if (bytes < 0) {
      return absl::InvalidArgumentError(absl::StrCat("a buffer cannot have ", bytes, " bytes"));
    }
    const int64_t taken = checker_->stats().bytes_in_use;
    // calloc: pages that nobody touches are never made, and here few are touched.
    void* const memory = bytes > limit_ - taken ? nullptr : calloc(bytes + kAlignment, 1);
    if (memory == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat("no memory for ", bytes, " bytes on ",
                                                       device_.ToString(), ": ", taken, " of ",
                                                       limit_, " bytes are taken"));
    }
    return Ref<Buffer>(
        new NullBuffer(device_, kind, bytes, static_cast<std::byte*>(memory), checker_));
  }
  AllocatorStats stats() const override { return checker_->stats(); }
  void ResetPeak() override { checker_->ResetPeak(); }

 private:
  const DeviceId device_;
  const std::shared_ptr<HazardChecker> checker_;
  const int64_t limit_ = PhysicalMemory();
};

// One recorded step: a dispatch, a copy or a fill.
struct Step {
  std::string what;
  std::vector<BufferView> views;
  uint64_t reads = 0;
  uint64_t writes = 0;
  int64_t buffer_numbers[kMaxBindings];  // of views that are no slots
};

absl::Status CheckRange(absl::string_view what, size_t index, const BufferView& view) {
  if (view.buffer == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": binding ", index, " is missing"));
  }
  if (view.buffer->device().type != NullDeviceType()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": binding ", index, " lies on ", view.buffer->device().ToString()));
  }
  if (view.offset < 0 || view.size < 0 || view.offset > view.buffer->size() - view.size) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": binding ", index, " is the range of ",
                                                   view.size, " bytes from ", view.offset,
                                                   " of a buffer of ", view.buffer->size()));
  }
  return absl::OkStatus();
}

int64_t NumberOf(const BufferView& view) {
  return static_cast<const NullBuffer*>(view.buffer)->number();
}

absl::StatusOr<Step> StepOf(const Dispatch& dispatch) {
  if (dispatch.program == nullptr) return absl::InvalidArgumentError("a dispatch has no program");
  const char* name = dispatch.program->name();
  const size_t count = dispatch.bindings.size();
  if (count > kMaxBindings) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", count, " bindings; 64 at most"));
  }
  const uint64_t known = count == 0 ? 0 : ~uint64_t{0} >> (kMaxBindings - count);
  if (((dispatch.reads | dispatch.writes) & ~known) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": the masks name bindings beyond the ", count, " there are"));
  }
  return Step{name,
              {dispatch.bindings.begin(), dispatch.bindings.end()},
              dispatch.reads,
              dispatch.writes,
              {}};
}

absl::StatusOr<Step> CopyStep(const BufferView& from, const BufferView& to) {
  if (from.size != to.size) {
    return absl::InvalidArgumentError(
        absl::StrCat("copy: from ", from.size, " bytes to ", to.size, "; the sizes must be equal"));
  }
  return Step{"copy", {from, to}, 1, 2, {}};
}

absl::StatusOr<Step> FillStep(const BufferView& to) {
  if (to.offset % 4 != 0 || to.size % 4 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("fill: the range of ", to.size, " bytes from ",
                                                   to.offset, "; both must be multiples of four"));
  }
  return Step{"fill", {to}, 0, 1, {}};
}

Access AccessOf(const Step& step, size_t i, int64_t buffer, int64_t offset) {
  return {buffer, offset, step.views[i].size, (step.reads >> i & 1) != 0,
          (step.writes >> i & 1) != 0};
}

class NullCommandBuffer final : public CommandBuffer {
 public:
  NullCommandBuffer(int num_slots, std::shared_ptr<HazardChecker> checker)
      : checker_(std::move(checker)), required_(num_slots, -1) {}

  int num_slots() const override { return static_cast<int>(required_.size()); }
  absl::Status Record(const Dispatch& dispatch) override {
    TANDEM_ASSIGN_OR_RETURN(Step step, StepOf(dispatch));
    checker_->CountDispatch();
    return Append(std::move(step));
  }
  absl::Status Copy(const BufferView& from, const BufferView& to) override {
    TANDEM_ASSIGN_OR_RETURN(Step step, CopyStep(from, to));
    checker_->CountCopy();
    return Append(std::move(step));
  }
  absl::Status Fill(const BufferView& to, uint32_t pattern) override {
    TANDEM_ASSIGN_OR_RETURN(Step step, FillStep(to));
    checker_->CountFill();
    return Append(std::move(step));
  }
  absl::Status Finish() override {
    if (finished_) return absl::FailedPreconditionError("the command buffer is finished already");
    finished_ = true;
    return absl::OkStatus();
  }

  absl::Status Submit(absl::Span<const BufferView> bindings) const {
    if (!finished_) return absl::FailedPreconditionError("submit: call Finish() first");
    for (size_t slot = 0; slot < required_.size(); ++slot) {
      if (required_[slot] < 0) continue;
      if (slot >= bindings.size()) {
        return absl::InvalidArgumentError(absl::StrCat("submit: nothing is bound to slot ", slot));
      }
      TANDEM_RETURN_IF_ERROR(CheckRange("submit", slot, bindings[slot]));
      if (bindings[slot].size < required_[slot]) {
        return absl::InvalidArgumentError(absl::StrCat("submit: slot ", slot, " needs ",
                                                       required_[slot], " bytes, its binding has ",
                                                       bindings[slot].size));
      }
    }
    checker_->CountSubmit();
    for (const Step& step : steps_) {
      std::vector<Access> accesses;
      for (size_t i = 0; i < step.views.size(); ++i) {
        const BufferView& view = step.views[i];
        if (view.buffer != nullptr) {
          accesses.push_back(AccessOf(step, i, step.buffer_numbers[i], view.offset));
        } else {
          const BufferView& bound = bindings[view.slot];
          accesses.push_back(AccessOf(step, i, NumberOf(bound), bound.offset + view.offset));
        }
      }
      checker_->Check(step.what, accesses);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Append(Step step) {
    if (finished_) {
      return absl::FailedPreconditionError(
          absl::StrCat(step.what, ": a finished command buffer takes no more work"));
    }
    for (size_t i = 0; i < step.views.size(); ++i) {
      const BufferView& view = step.views[i];
      if (view.buffer != nullptr || !view.is_slot()) {
        TANDEM_RETURN_IF_ERROR(CheckRange(step.what, i, view));
        // By number, and without holding the buffer: so its end before a submission is noticed.
        step.buffer_numbers[i] = NumberOf(view);
        continue;
      }
      if (view.slot >= num_slots() || view.offset < 0 || view.size < 0 ||
          view.offset > INT64_MAX - view.size) {
        return absl::InvalidArgumentError(absl::StrCat(
            step.what, ": binding ", i, " is the range of ", view.size, " bytes from ", view.offset,
            " of slot ", view.slot, "; there are ", num_slots(), " slots"));
      }
      required_[view.slot] = std::max(required_[view.slot], view.offset + view.size);
    }
    steps_.push_back(std::move(step));
    return absl::OkStatus();
  }

  const std::shared_ptr<HazardChecker> checker_;
  std::vector<Step> steps_;
  std::vector<int64_t> required_;  // bytes of each slot; -1: unused
  bool finished_ = false;
};

class NullStream final : public Stream {
 public:
  explicit NullStream(std::shared_ptr<HazardChecker> checker) : checker_(std::move(checker)) {}

  absl::Status Record(const Dispatch& dispatch) override {
    TANDEM_ASSIGN_OR_RETURN(const Step step, StepOf(dispatch));
    checker_->CountDispatch();
    return Run(step);
  }
  absl::Status Copy(const BufferView& from, const BufferView& to) override {
    TANDEM_ASSIGN_OR_RETURN(const Step step, CopyStep(from, to));
    checker_->CountCopy();
    return Run(step);
  }
  absl::Status Fill(const BufferView& to, uint32_t pattern) override {
    TANDEM_ASSIGN_OR_RETURN(const Step step, FillStep(to));
    checker_->CountFill();
    return Run(step);
  }
  absl::StatusOr<TimelinePoint> Submit(const Ref<CommandBuffer>& commands,
                                       absl::Span<const BufferView> bindings) override {
    if (commands == nullptr) return absl::InvalidArgumentError("submit: no command buffer");
    TANDEM_RETURN_IF_ERROR(static_cast<NullCommandBuffer&>(*commands).Submit(bindings));
    return Now();
  }
  // Nothing is ever under way.
  TimelinePoint Now() override { return {this, 0}; }
  absl::Status WaitFor(const TimelinePoint& point) override { return absl::OkStatus(); }
  bool Reached(const TimelinePoint& point) const override { return true; }
  absl::Status Synchronize(const TimelinePoint& point) override { return absl::OkStatus(); }

 private:
  absl::Status Run(const Step& step) {
    std::vector<Access> accesses;
    for (size_t i = 0; i < step.views.size(); ++i) {
      TANDEM_RETURN_IF_ERROR(CheckRange(step.what, i, step.views[i]));
      accesses.push_back(AccessOf(step, i, NumberOf(step.views[i]), step.views[i].offset));
    }
    checker_->Check(step.what, accesses);
    return absl::OkStatus();
  }

  const std::shared_ptr<HazardChecker> checker_;
};

}  // namespace

DeviceType NullDeviceType() {
  static const DeviceType type = DeviceType::Intern("null");
  return type;
}

NullDevice::NullDevice(int ordinal)
    : Device({NullDeviceType(), ordinal}),
      checker_(std::make_shared<HazardChecker>()),
      allocator_(std::make_unique<NullAllocator>(id(), checker_)),
      default_stream_(MakeRef<NullStream>(checker_)) {
  info_.name = "null: checks what is recorded, computes nothing";
  info_.alignment = kAlignment;
}

absl::StatusOr<Ref<Stream>> NullDevice::CreateStream() {
  return Ref<Stream>(MakeRef<NullStream>(checker_));
}

absl::StatusOr<Ref<CommandBuffer>> NullDevice::CreateCommandBuffer(int num_slots) {
  if (num_slots < 0 || num_slots > kMaxSlots) {
    return absl::InvalidArgumentError(
        absl::StrCat("a command buffer has between 0 and ", kMaxSlots, " slots, not ", num_slots));
  }
  return Ref<CommandBuffer>(MakeRef<NullCommandBuffer>(num_slots, checker_));
}

absl::StatusOr<std::unique_ptr<Device>> NullBackend::OpenDevice(int ordinal) {
  if (ordinal != 0) return absl::UnavailableError("the null backend has one device, null:0");
  return std::make_unique<NullDevice>(ordinal);
}

absl::Status NullBackend::SetOption(absl::string_view name, absl::string_view value) {
  return absl::InvalidArgumentError(
      absl::StrCat("null: there is no option '", name, "'; there are none"));
}

}  // namespace tandem::null_backend
