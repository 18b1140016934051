// A VkDevice with what everybody needs to use it: functions, queue, capabilities, its health.
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
// Thread rules: all methods from any thread; the queue only under queue_mutex().
#ifndef TANDEM_BACKENDS_VULKAN_VULKAN_CONTEXT_H_
#define TANDEM_BACKENDS_VULKAN_VULKAN_CONTEXT_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/vulkan/capabilities.h"
#include "tandem/backends/vulkan/fault_injection.h"
#include "tandem/backends/vulkan/functions.h"
#include "tandem/backends/vulkan/instance.h"
#include "tandem/backends/vulkan/physical_device.h"
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

  // The one queue, of a family that computes and copies.
  uint32_t queue_family() const { return physical_.queue_family; }
  absl::Mutex& queue_mutex() ABSL_LOCK_RETURNED(queue_mutex_) { return queue_mutex_; }
  VkQueue queue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_mutex_) { return queue_; }

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

  const DeviceId id_;
  const std::shared_ptr<Instance> instance_;  // outlives device_
  const PhysicalDevice physical_;
  const Capabilities capabilities_;
  const std::shared_ptr<FaultInjector> faults_;
  VkDevice device_ = VK_NULL_HANDLE;
  DeviceFunctions functions_;
  absl::Mutex queue_mutex_;
  VkQueue queue_ ABSL_GUARDED_BY(queue_mutex_) = VK_NULL_HANDLE;
  mutable std::atomic<bool> lost_{false};
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_VULKAN_CONTEXT_H_
