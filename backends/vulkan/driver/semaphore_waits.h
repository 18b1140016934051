// What the next submission of a stream waits for: values of other streams' timelines, as few as do.
//
//   SemaphoreWaits waits;
//   waits.Add(a.id(), {a.semaphore(), 7});  // true: later work waits until a has reached 7
//   waits.Add(a.id(), {a.semaphore(), 5});  // false: that is implied
//   // vkQueueSubmit with waits.pending()
//   waits.Submitted();
//   waits.Add(a.id(), {a.semaphore(), 7});  // false: work of a stream keeps its order
//
// A wait is what makes memory that another queue wrote visible on this one, so also a value that the
// device has reached long ago is waited for, once.
//
// Thread rules: one thread at a time. Pure: nothing here calls Vulkan.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_SEMAPHORE_WAITS_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_SEMAPHORE_WAITS_H_

#include <vulkan/vulkan.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace tandem::vulkan_backend {

struct SemaphoreValue {
  VkSemaphore semaphore = VK_NULL_HANDLE;
  uint64_t value = 0;
};

class SemaphoreWaits {
 public:
  // Timelines that it remembers having waited for. What it has forgotten is waited for again.
  static constexpr size_t kMaxRemembered = 16;

  // Whether later work comes after this value anyway, of the timeline `id`, which no other one ever
  // has: because an earlier wait is for it, or it is 0, where timelines start.
  bool Implies(uint64_t id, uint64_t value) const;
  // Later work comes after `until`. False if that is implied.
  bool Add(uint64_t id, const SemaphoreValue& until);
  bool empty() const { return pending_.empty(); }
  absl::Span<const SemaphoreValue> pending() const { return pending_; }
  // All that is pending was handed to the driver.
  void Submitted();
  // Nothing is waited for any more.
  void Clear();

 private:
  struct Known {
    uint64_t id;
    uint64_t value;
  };

  std::vector<SemaphoreValue> pending_;
  std::vector<uint64_t> pending_ids_;  // of pending_
  std::vector<Known> known_;           // submitted, the one that was used last behind
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_SEMAPHORE_WAITS_H_
