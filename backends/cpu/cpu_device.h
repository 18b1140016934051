// The CPU as a device, and the backend that opens it.
//
// Options of the backend "cpu", all of which may be set at any time:
//   threads  1 … 1024: threads that work on one kernel; default: all that the machine has. Results
//            do not depend on it.
//   isa      baseline, avx2, avx512: the highest instruction set that kernels prepared from now on
//            use; default: the best that the CPU has. Asking for more than it has is an error.
//   poison   0 or 1: fill new buffers with NaN, to find kernels that leave a part of their output.
// And before the first device is opened:
//   devices  1 … 64: how many devices cpu:0, cpu:1, … there are; default 1. They share the threads,
//            not the memory: for tests of programs for several devices.
//   memory_limit  bytes that a device may take from the system; default: the machine's memory.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_CPU_CPU_DEVICE_H_
#define TANDEM_BACKENDS_CPU_CPU_DEVICE_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/cpu/allocator.h"
#include "tandem/backends/cpu/cpu_buffer.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/stream.h"
#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/device/device.h"

namespace tandem::cpu_backend {

// What the devices of a backend share.
struct CpuRuntime {
  explicit CpuRuntime(int threads) : pool(threads) {}
  CpuThreadPool pool;
  std::atomic<Isa> isa{DetectIsa()};
};

class CpuDevice final : public Device {
 public:
  CpuDevice(int ordinal, std::shared_ptr<CpuRuntime> runtime, const CpuAllocator::Options& options);

  // As it was when the device was opened, but for "threads" and "isa", see below.
  const DeviceInfo& info() const override { return info_; }
  CpuAllocator& allocator() override { return allocator_; }
  Stream& default_stream() override { return *default_stream_; }
  absl::StatusOr<Ref<Stream>> CreateStream() override;
  absl::StatusOr<Ref<CommandBuffer>> CreateCommandBuffer(int num_slots) override;

  // What kernels that are prepared now may use.
  Isa isa() const { return runtime_->isa.load(std::memory_order_relaxed); }
  CpuThreadPool& pool() const { return runtime_->pool; }

 private:
  std::shared_ptr<CpuRuntime> runtime_;
  DeviceInfo info_;
  CpuAllocator allocator_;
  Ref<Stream> default_stream_;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend();
  DeviceType type() const override { return CpuDeviceType(); }
  absl::StatusOr<int> CountDevices() override;
  absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int ordinal) override;
  absl::Status SetOption(absl::string_view name, absl::string_view value) override;

 private:
  const std::shared_ptr<CpuRuntime> runtime_;
  const std::shared_ptr<std::atomic<bool>> poison_;
  absl::Mutex mutex_;
  int num_devices_ ABSL_GUARDED_BY(mutex_) = 1;
  CpuAllocator::Options allocator_options_ ABSL_GUARDED_BY(mutex_);
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_CPU_DEVICE_H_
