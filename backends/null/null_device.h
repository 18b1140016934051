// A device that computes nothing and checks everything: what is recorded is looked at, not run.
//
// It finds mistakes in whoever records work - interpreters, memory planners, executors - without a
// GPU and without depending on results:
//   * a read of bytes that nobody wrote since they were allocated,
//   * a dispatch that writes where it also reads or writes through another binding, unless the two
//     are exactly the same range (in place),
//   * ranges that leave their buffer, slots that are missing or too small,
//   * the use of a buffer that has ended.
//
//   TANDEM_ASSIGN_OR_RETURN(Device* device, registry.Open("null:0"));
//   ... run a graph on it ...
//   NullReport report = static_cast<NullDevice*>(device)->TakeReport();
//   EXPECT_THAT(report.violations, IsEmpty());
//
// Memory is real, so tensors can be made and read (as zeros, unless the host wrote something).
// It is also the template of a new backend: see README.md.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_NULL_NULL_DEVICE_H_
#define TANDEM_BACKENDS_NULL_NULL_DEVICE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/null/hazard_checker.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/device.h"

namespace tandem::null_backend {

// "null".
DeviceType NullDeviceType();

// A program that only has a name.
class NullProgram final : public Program {
 public:
  explicit NullProgram(std::string name) : name_(std::move(name)) {}
  const char* name() const override { return name_.c_str(); }

 private:
  const std::string name_;
};

class NullDevice final : public Device {
 public:
  explicit NullDevice(int ordinal);

  const DeviceInfo& info() const override { return info_; }
  Allocator& allocator() override { return *allocator_; }
  Stream& default_stream() override { return *default_stream_; }
  absl::StatusOr<Ref<Stream>> CreateStream() override;
  absl::StatusOr<Ref<CommandBuffer>> CreateCommandBuffer(int num_slots) override;

  // What was seen since the last call.
  NullReport TakeReport() { return checker_->TakeReport(); }

 private:
  DeviceInfo info_;
  // Shared with buffers, which may live longer than the device.
  std::shared_ptr<HazardChecker> checker_;
  std::unique_ptr<Allocator> allocator_;
  Ref<Stream> default_stream_;
};

class NullBackend final : public Backend {
 public:
  DeviceType type() const override { return NullDeviceType(); }
  absl::StatusOr<int> CountDevices() override { return 1; }
  absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int ordinal) override;
  absl::Status SetOption(absl::string_view name, absl::string_view value) override;
};

}  // namespace tandem::null_backend

#endif  // TANDEM_BACKENDS_NULL_NULL_DEVICE_H_
