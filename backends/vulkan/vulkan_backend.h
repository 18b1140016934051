// The backend "vulkan": every device with a compute queue, vulkan:0, vulkan:1, … Discrete GPUs come
// first, software drivers last.
//
//   registry.Register(std::make_unique<VulkanBackend>());
//   registry.SetOption("vulkan", "cache_dir", "/var/cache/app");
//   TANDEM_ASSIGN_OR_RETURN(Device* device, registry.Open("vulkan:0"));
//
// Options before the first device is opened:
//   cache_dir        a folder for compiled shaders and pipelines, which makes later starts faster;
//                    default: none, nothing is written.
//   memory_limit     bytes that a device may take from its driver; default: what that gives.
//   library          Vulkan's loader, for dlopen; default: libvulkan.so.1.
// For tests, also before the first device is opened:
//   validation       off, on, sync: the Khronos validation layer, with synchronization validation;
//                    its messages: validation_log.h.
//   disable          features to do without: "subgroups,unified_memory"; capabilities.h has
//                    the names.
//   block_bytes      of memory that is taken from the driver at a time.
//   queues           n: over one queue of the driver, n for streams and one that only copies, which
//                    keep no order but what semaphores ask for (queue_shuffler.h); 0: those of the
//                    device.
// For tests, at any time:
//   poison           0 or 1: fill new buffers with NaN, where the host sees them.
//   fail_allocation  k: the k-th creation of something on a device from now fails; k+: and all after
//                    it; 0: none.
//   lose_device      0 or 1: all devices are lost, and those that noticed stay so.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_VULKAN_BACKEND_H_
#define TANDEM_BACKENDS_VULKAN_VULKAN_BACKEND_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/vulkan/driver/fault_injection.h"
#include "tandem/backends/vulkan/driver/instance.h"
#include "tandem/backends/vulkan/driver/physical_device.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/device/backend.h"

namespace tandem::vulkan_backend {

class VulkanBackend final : public Backend {
 public:
  VulkanBackend();
  DeviceType type() const override { return VulkanDeviceType(); }
  absl::StatusOr<int> CountDevices() override;
  absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int ordinal) override;
  absl::Status SetOption(absl::string_view name, absl::string_view value) override;

 private:
  // Finds the devices, unless they are known.
  absl::Status FindDevices() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<FaultInjector> faults_;
  const std::shared_ptr<std::atomic<bool>> poison_;
  absl::Mutex mutex_;
  InstanceOptions instance_options_ ABSL_GUARDED_BY(mutex_);
  VulkanDeviceOptions device_options_ ABSL_GUARDED_BY(mutex_);
  std::string disabled_ ABSL_GUARDED_BY(mutex_);
  uint32_t shared_queues_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<Instance> instance_ ABSL_GUARDED_BY(mutex_);  // null: not looked yet
  std::vector<PhysicalDevice> devices_ ABSL_GUARDED_BY(mutex_);
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_VULKAN_BACKEND_H_
