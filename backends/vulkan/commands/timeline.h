// A timeline semaphore: a number that the device counts up as it gets work done.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<const Timeline> timeline, Timeline::Create(context));
//   // vkQueueSubmit signals value 7
//   TANDEM_RETURN_IF_ERROR(timeline->Wait(7));
//
// Shared by the stream that signals it and by the pending work of others that waits for it.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_COMMANDS_TIMELINE_H_
#define TANDEM_BACKENDS_VULKAN_COMMANDS_TIMELINE_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/core/base/ref.h"

namespace tandem::vulkan_backend {

class Timeline final : public RefCounted {
 public:
  static absl::StatusOr<Ref<const Timeline>> Create(std::shared_ptr<VulkanContext> context);
  ~Timeline() override;

  VkSemaphore semaphore() const { return semaphore_; }
  // The value at the start, before anything is submitted: semaphores are used again, and count on.
  uint64_t first() const { return first_; }
  // Unlike a handle, it never comes again.
  uint64_t id() const { return id_; }
  // The value that the device has reached, as far as is known; asks the driver only if that is less
  // than `wanted`.
  uint64_t Reached(uint64_t wanted = UINT64_MAX) const;
  // Blocks until the device has reached `value`, which must have been submitted. UNAVAILABLE if the
  // device is lost.
  absl::Status Wait(uint64_t value) const;
  // The same for who is about to destroy what pending work uses: goes on waiting for a device that
  // a test has declared lost.
  void Drain(uint64_t value) const;

 private:
  explicit Timeline(std::shared_ptr<VulkanContext> context) : context_(std::move(context)) {}
  VkResult WaitOnce(uint64_t value, uint64_t nanoseconds) const;

  static uint64_t NextId() {
    static std::atomic<uint64_t> next{1};
    return next.fetch_add(1, std::memory_order_relaxed);
  }

  const std::shared_ptr<VulkanContext> context_;
  const uint64_t id_ = NextId();
  VkSemaphore semaphore_ = VK_NULL_HANDLE;
  uint64_t first_ = 0;
  mutable std::atomic<uint64_t> reached_{0};
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_COMMANDS_TIMELINE_H_
