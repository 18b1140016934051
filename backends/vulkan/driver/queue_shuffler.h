// For tests: several queues made of one, which keep no order but what semaphores ask for.
//
//   QueueShuffler shuffler(vk, device, queue, /*num_queues=*/3, /*seed=*/1);
//   shuffler.Submit(0, a);
//   shuffler.Submit(1, b);  // may run before a, unless b waits for a's semaphore
//
// A device with one queue runs whatever it is given in that order, so a wait that is missing between
// two streams goes unnoticed there. Here a thread takes submissions of all queues in a random order,
// with random delays; those of one queue in theirs, and none before the device has reached all that
// it waits for. So it also never fills the driver's queue with work that waits for later one.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_QUEUE_SHUFFLER_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_QUEUE_SHUFFLER_H_

#include <vulkan/vulkan.h>

#include <cstdint>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/vulkan/driver/functions.h"
#include "tandem/backends/vulkan/driver/vulkan_queue.h"

namespace tandem::vulkan_backend {

class QueueShuffler {
 public:
  // Nobody else uses `queue`.
  QueueShuffler(const DeviceFunctions& vk, VkDevice device, VkQueue queue, int num_queues,
                uint32_t seed);
  // Submits what is left; all that it waits for must have been submitted.
  ~QueueShuffler();
  QueueShuffler(const QueueShuffler&) = delete;
  QueueShuffler& operator=(const QueueShuffler&) = delete;

  // VK_ERROR_DEVICE_LOST once the driver has refused anything.
  VkResult Submit(int queue, const QueueSubmission& submission);

 private:
  struct Pending {
    std::vector<VkCommandBuffer> lists;
    std::vector<SemaphoreValue> waits;
    SemaphoreValue signal;
  };

  void Run();
  // Whether the device has reached all that it waits for.
  bool IsReady(const Pending& pending) const;
  // A queue whose next submission is ready, by chance; -1: none.
  int PickLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasWorkLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DeviceFunctions& vk_;
  const VkDevice device_;
  const VkQueue queue_;
  std::mt19937 random_;  // the thread's
  absl::Mutex mutex_;
  std::vector<std::deque<Pending>> pending_ ABSL_GUARDED_BY(mutex_);  // by queue
  VkResult result_ ABSL_GUARDED_BY(mutex_) = VK_SUCCESS;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_QUEUE_SHUFFLER_H_
