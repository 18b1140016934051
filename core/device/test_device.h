// A device for core's own tests: host memory, work done at once, programs that are C++ functions.
// It shows the least that a device must do. For a template of a backend see backends/null.
//
//   TestDevice device;
//   TANDEM_ASSIGN_OR_RETURN(Tensor x, Tensor::FromVector<float>({1, 2}, {2}, device));
#ifndef TANDEM_CORE_DEVICE_TEST_DEVICE_H_
#define TANDEM_CORE_DEVICE_TEST_DEVICE_H_

#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tandem/core/device/device.h"

namespace tandem {

class TestBuffer : public Buffer {
 public:
  TestBuffer(DeviceId device, int64_t size, int64_t* in_use, bool visible)
      : Buffer(device, MemoryKind::kUnified, size),
        bytes_(new std::byte[size]),
        in_use_(in_use),
        visible_(visible) {
    std::memset(bytes_.get(), 0xFF, size);  // NaN, so that a forgotten write shows
    *in_use_ += size;
  }
  ~TestBuffer() override { *in_use_ -= size(); }
  bool host_visible() const override { return visible_; }
  absl::StatusOr<std::byte*> Map() override {
    if (!visible_) return absl::FailedPreconditionError("not host-visible");
    return bytes_.get();
  }
  std::byte* bytes() const { return bytes_.get(); }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  int64_t* in_use_;
  bool visible_;
};

class TestAllocator : public Allocator {
 public:
  TestAllocator(DeviceId device, bool device_memory_visible)
      : device_(device), visible_(device_memory_visible) {}
  absl::StatusOr<Ref<Buffer>> Allocate(int64_t bytes, MemoryKind kind) override {
    if (bytes > (int64_t{1} << 30)) {
      return absl::ResourceExhaustedError(absl::StrCat("no room for ", bytes, " bytes"));
    }
    ++stats_.allocations;
    Ref<Buffer> buffer = MakeRef<TestBuffer>(device_, bytes, &stats_.bytes_in_use,
                                             visible_ || kind != MemoryKind::kDevice);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.bytes_in_use);
    return buffer;
  }
  AllocatorStats stats() const override { return stats_; }
  void ResetPeak() override { stats_.peak_bytes = stats_.bytes_in_use; }

 private:
  DeviceId device_;
  bool visible_;
  AllocatorStats stats_;
};

// A program is a function of the addresses of its bindings.
class TestProgram : public Program {
 public:
  using Fn = std::function<void(absl::Span<std::byte* const>)>;
  explicit TestProgram(Fn fn) : fn(std::move(fn)) {}
  const char* name() const override { return "test"; }
  const Fn fn;
};

class TestStream : public Stream {
 public:
  absl::Status Record(const Dispatch& dispatch) override {
    std::vector<std::byte*> addresses;
    for (const BufferView& view : dispatch.bindings) addresses.push_back(Address(view));
    static_cast<const TestProgram*>(dispatch.program)->fn(addresses);
    return absl::OkStatus();
  }
  absl::Status Copy(const BufferView& from, const BufferView& to) override {
    if (from.size != to.size) return absl::InvalidArgumentError("copy between different sizes");
    std::memcpy(Address(to), Address(from), from.size);
    return absl::OkStatus();
  }
  absl::Status Fill(const BufferView& to, uint32_t pattern) override {
    for (int64_t i = 0; i + 4 <= to.size; i += 4) std::memcpy(Address(to) + i, &pattern, 4);
    return absl::OkStatus();
  }
  absl::StatusOr<TimelinePoint> Submit(const Ref<CommandBuffer>&,
                                       absl::Span<const BufferView>) override {
    return absl::UnimplementedError("the test device has no command buffers");
  }
  TimelinePoint Now() override { return {this, 0}; }
  absl::Status WaitFor(const TimelinePoint&) override { return absl::OkStatus(); }
  bool Reached(const TimelinePoint&) const override { return true; }
  absl::Status Synchronize(const TimelinePoint&) override { return absl::OkStatus(); }

 private:
  static std::byte* Address(const BufferView& view) {
    return static_cast<TestBuffer*>(view.buffer)->bytes() + view.offset;
  }
};

class TestDevice : public Device {
 public:
  // `device_memory_visible` = false: as on a GPU, the host must copy.
  explicit TestDevice(bool device_memory_visible = true, int ordinal = 0)
      : Device({DeviceType::Intern("test"), ordinal}), allocator_(id(), device_memory_visible) {}
  const DeviceInfo& info() const override { return info_; }
  Allocator& allocator() override { return allocator_; }
  Stream& default_stream() override { return stream_; }
  absl::StatusOr<Ref<Stream>> CreateStream() override {
    return Ref<Stream>(MakeRef<TestStream>());
  }
  absl::StatusOr<Ref<CommandBuffer>> CreateCommandBuffer(int) override {
    return absl::UnimplementedError("the test device has no command buffers");
  }

 private:
  DeviceInfo info_{.name = "test device", .memory_bytes = 0, .alignment = 16, .properties = {}};
  TestAllocator allocator_;
  TestStream stream_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_DEVICE_TEST_DEVICE_H_
