// Which of a device's queues are used, and for what.
//
//   const std::optional<QueuePlan> plan = PlanQueues(families);
//   plan->compute;   // streams take them in turn
//   plan->transfer;  // copies from the host, beside what is computed
//
// Work of one queue is ordered by barriers, which wait for all that the queue got before; work of two
// queues runs at once but for the semaphores between them. So each stream has a queue of its own as
// long as there are enough, and copies from the host go through the device's copy engine where a
// family of queues stands for one, or else through a queue that nothing else uses.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_QUEUE_PLAN_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_QUEUE_PLAN_H_

#include <vulkan/vulkan.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace tandem::vulkan_backend {

struct QueueFamily {
  uint32_t index = 0;
  bool computes = true;  // false: it only copies and fills
  friend bool operator==(const QueueFamily&, const QueueFamily&) = default;
};

struct QueueSlot {
  QueueFamily family;
  uint32_t index = 0;  // in the family
  friend bool operator==(const QueueSlot&, const QueueSlot&) = default;
};

struct QueuePlan {
  std::vector<QueueSlot> compute;     // one or more, of one family
  std::optional<QueueSlot> transfer;  // none: copies take turns with what is computed
  // For tests: all of the above is one queue of the driver, whose order does not tell right from
  // wrong; see queue_shuffler.h.
  bool shuffled = false;

  // Queues that the driver is asked for: a family, and how many of it.
  struct Request {
    uint32_t family;
    uint32_t count;
    friend bool operator==(const Request&, const Request&) = default;
  };
  std::vector<Request> Requests() const;
};

// More streams than this share queues; so many kernels at once fill any GPU.
inline constexpr uint32_t kMaxComputeQueues = 4;

// Nothing if no family computes. Of those that do, one without graphics is preferred: its work does
// not wait for a desktop's.
std::optional<QueuePlan> PlanQueues(absl::Span<const VkQueueFamilyProperties> families);

// For tests: `num_compute` queues and one that only copies, all of them the first queue of `plan`.
QueuePlan ShareOneQueue(const QueuePlan& plan, uint32_t num_compute);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_QUEUE_PLAN_H_
