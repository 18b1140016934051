// A queue of a device, as streams submit to it.
//
//   const SemaphoreValue waits[] = {{other.semaphore(), 3}};
//   VkResult result = queue.Submit({.lists = lists, .waits = waits, .signal = {own.semaphore(), 4}});
//
// Lists of one queue start in the order in which they were submitted.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_VULKAN_QUEUE_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_VULKAN_QUEUE_H_

#include <vulkan/vulkan.h>

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/functions.h"
#include "tandem/backends/vulkan/driver/queue_plan.h"
#include "tandem/backends/vulkan/driver/semaphore_waits.h"

namespace tandem::vulkan_backend {

// One call of vkQueueSubmit. What it names must live until `signal` is reached.
struct QueueSubmission {
  absl::Span<const VkCommandBuffer> lists;
  absl::Span<const SemaphoreValue> waits;  // before anything of the lists
  SemaphoreValue signal;
};

class VulkanQueue {
 public:
  using SubmitFunction = std::function<VkResult(const QueueSubmission&)>;
  // Submits by `submit`, which is called by one thread at a time.
  VulkanQueue(QueueFamily family, SubmitFunction submit)
      : family_(family), submit_(std::move(submit)) {}
  VulkanQueue(const VulkanQueue&) = delete;
  VulkanQueue& operator=(const VulkanQueue&) = delete;

  const QueueFamily& family() const { return family_; }
  VkResult Submit(const QueueSubmission& submission) {
    absl::MutexLock lock(&mutex_);
    return submit_(submission);
  }

 private:
  const QueueFamily family_;
  absl::Mutex mutex_;
  const SubmitFunction submit_ ABSL_GUARDED_BY(mutex_);
};

// vkQueueSubmit. The caller sees to it that no other thread uses `queue` meanwhile.
VkResult SubmitToQueue(const DeviceFunctions& vk, VkQueue queue, const QueueSubmission& submission);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_VULKAN_QUEUE_H_
