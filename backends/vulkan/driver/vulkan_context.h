// A VkDevice with what everybody needs to use it: functions, queues, capabilities, its health.
//
// Everything that owns Vulkan objects - buffers, programs, streams - holds the context, so the
// VkDevice ends after them, in whatever order tensors and registries end. (VulkanDevice stands above
// it and owns the allocator, the program cache and the default stream.)
//
//   VkResult result = context->InjectedFault();
//   if (result == VK_SUCCESS) {
//     result = context->functions().CreateSemaphore(context->device(), &info, nullptr, &semaphore);
//   }
//   TANDEM_RETURN_IF_ERROR(context->Check(result, "vkCreateSemaphore"));
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_VULKAN_CONTEXT_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_VULKAN_CONTEXT_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/driver/fault_injection.h"
#include "tandem/backends/vulkan/driver/functions.h"
#include "tandem/backends/vulkan/driver/instance.h"
#include "tandem/backends/vulkan/driver/physical_device.h"
#include "tandem/backends/vulkan/driver/queue_shuffler.h"
#include "tandem/backends/vulkan/driver/stream_list.h"
#include "tandem/backends/vulkan/driver/vulkan_queue.h"
#include "tandem/core/device/device_id.h"

namespace tandem::vulkan_backend {

// "vulkan".
DeviceType VulkanDeviceType();

class VulkanContext {
 public:
  // Opens a device with the features that `capabilities` has, which may be fewer than
  // `physical.capabilities`. RESOURCE_EXHAUSTED or UNAVAILABLE if the driver refuses.
  static absl::StatusOr<std::shared_ptr<VulkanContext>> Create(
      DeviceId id, std::shared_ptr<Instance> instance, const PhysicalDevice& physical,
      const Capabilities& capabilities, std::shared_ptr<FaultInjector> faults);
  // Waits until the device is idle.
  ~VulkanContext();
  VulkanContext(const VulkanContext&) = delete;
  VulkanContext& operator=(const VulkanContext&) = delete;

  const DeviceId& id() const { return id_; }
  VkDevice device() const { return device_; }
  const DeviceFunctions& functions() const { return functions_; }
  const Instance& instance() const { return *instance_; }
  const PhysicalDevice& physical() const { return physical_; }
  const Capabilities& capabilities() const { return capabilities_; }

  // Of all queues that compute.
  const QueueFamily& compute_family() const { return physical_.queues.compute.front().family; }
  // The queue of a new stream: each in turn.
  VulkanQueue& NextQueue();
  // For copies beside what is computed; null if there is no queue for that.
  VulkanQueue* transfer_queue() { return transfer_queue_.get(); }
  StreamList& streams() { return streams_; }
  // A timeline semaphore that nothing signals or waits for any more, at whatever value it has; null
  // if there is none.
  VkSemaphore TakeSemaphore();
  // Gives one back, which is destroyed with the device. Not before: Mesa's drivers (22.3) give what a
  // batch waited for back to the semaphore after they have signaled that the batch is done.
  void GiveSemaphore(VkSemaphore semaphore);
  // The families whose queues use buffers.
  absl::Span<const uint32_t> families() const { return families_; }

  // OK, or UNAVAILABLE once the device is lost. Whoever is about to hand work to the driver, or to
  // wait for it, asks first.
  absl::Status Alive() const;
  // `result` of `call` as a status. VK_ERROR_DEVICE_LOST marks the device as lost.
  absl::Status Check(VkResult result, absl::string_view call) const;
  // Ask before creating anything; see fault_injection.h.
  VkResult InjectedFault() const { return faults_->Next(); }

 private:
  VulkanContext(DeviceId id, std::shared_ptr<Instance> instance, const PhysicalDevice& physical,
                const Capabilities& capabilities, std::shared_ptr<FaultInjector> faults);
  void OpenQueues();

  const DeviceId id_;
  const std::shared_ptr<Instance> instance_;  // outlives device_
  const PhysicalDevice physical_;
  const Capabilities capabilities_;
  const std::shared_ptr<FaultInjector> faults_;
  VkDevice device_ = VK_NULL_HANDLE;
  DeviceFunctions functions_;
  std::vector<uint32_t> families_;
  std::unique_ptr<QueueShuffler> shuffler_;  // null but in tests; outlives the queues
  std::vector<std::unique_ptr<VulkanQueue>> compute_queues_;
  std::unique_ptr<VulkanQueue> transfer_queue_;
  std::atomic<uint32_t> next_queue_{0};
  StreamList streams_;
  absl::Mutex semaphores_mutex_;
  std::vector<VkSemaphore> semaphores_ ABSL_GUARDED_BY(semaphores_mutex_);
  mutable std::atomic<bool> lost_{false};
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_VULKAN_CONTEXT_H_
