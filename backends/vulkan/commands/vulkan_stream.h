// A stream of a Vulkan device: a timeline semaphore and an open command list.
//
// Work that is recorded directly goes into the open list at once. The list is submitted when it has
// some hundred commands, when somebody waits for it or submits a command buffer, and earlier if the
// device has nothing to do. What a submission uses - buffers, programs, recorded commands - is kept
// alive until the device has reached its value of the timeline, and let go when the stream is used
// next. At most kMaxInFlight submissions are pending; whoever submits one more waits for the oldest.
//
// Streams take the device's queues in turn (queue_plan.h); one of a queue that only copies refuses
// dispatches. A stream that waits for another one first has that one submit what it waits for, since
// they may share a queue, and then has its own next submission wait for the other's timeline.
// Waiting for a stream of another device blocks the host.
//
// If submitting fails, the open list is lost, and let go. The call that met the failure returns it,
// and so does, once, the next wait for a point that covers the lost work (unless the call was one):
// its work may be another thread's. Points that were handed out count as reached when all work before
// them that was submitted is done, and the stream goes on. A command buffer that fails with nothing
// open is the caller's alone, who knows then. Once the device is lost, every call says so.
//
// Thread rules: as Stream says: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_COMMANDS_VULKAN_STREAM_H_
#define TANDEM_BACKENDS_VULKAN_COMMANDS_VULKAN_STREAM_H_

#include <vulkan/vulkan.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/commands/command_list.h"
#include "tandem/backends/vulkan/commands/timeline.h"
#include "tandem/backends/vulkan/driver/semaphore_waits.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/driver/vulkan_queue.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/stream.h"

namespace tandem::vulkan_backend {

class VulkanStream final : public Stream {
 public:
  static constexpr int kMaxCommands = 100;  // in the open list

  // Of the context's next queue, or of one that is given.
  static absl::StatusOr<Ref<VulkanStream>> Create(std::shared_ptr<VulkanContext> context);
  static absl::StatusOr<Ref<VulkanStream>> Create(std::shared_ptr<VulkanContext> context,
                                                  VulkanQueue& queue);
  // Submits what is open and waits for everything.
  ~VulkanStream() override;

  absl::Status Record(const Dispatch& dispatch) override;
  absl::Status Copy(const BufferView& from, const BufferView& to) override;
  absl::Status Fill(const BufferView& to, uint32_t pattern) override;
  absl::StatusOr<TimelinePoint> Submit(const Ref<CommandBuffer>& commands,
                                       absl::Span<const BufferView> bindings) override;
  TimelinePoint Now() override;
  absl::Status WaitFor(const TimelinePoint& point) override;
  // True also when the stream has failed or the device is lost: nobody waits for what cannot come.
  // Synchronize tells.
  bool Reached(const TimelinePoint& point) const override;
  absl::Status Synchronize(const TimelinePoint& point) override;

  // Submits what is open.
  absl::Status Flush();
  // Submits what is open on any stream of the device, waits for everything and lets it go. False if
  // there was nothing, or nothing that ended well. Lost work is not told here, but by the next wait.
  static bool DrainAll(VulkanContext& context);

  struct Stats {
    int64_t submissions = 0;  // calls of vkQueueSubmit
    int64_t commands = 0;     // recorded directly
    int64_t barriers = 0;     // between them
    int64_t lists = 0;        // command lists that were made; they are used again
  };
  Stats stats() const;

 private:
  using Kept = std::vector<Ref<const RefCounted>>;
  struct Submission {
    uint64_t value = 0;
    Ref<CommandList> list;  // the open list it had; null if none
    Kept kept;
  };

  VulkanStream(std::shared_ptr<VulkanContext> context, VulkanQueue& queue,
               Ref<const Timeline> timeline);

  absl::Status CheckComputes() const;
  // Methods that take `kept` put there what may be let go: the caller destroys it without the mutex,
  // for a buffer's end may call anything.
  absl::Status OpenLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CommandAddedLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status FlushLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Submits the open list, if there is one, and then `replay` (or null), for which `kept` is kept.
  // If that fails both are lost.
  absl::Status SubmitLocked(const CommandList* replay, Kept kept, Kept* let_go)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TrySubmitLocked(const CommandList* replay, uint64_t value, Kept* let_go)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status QueueLocked(absl::Span<const VkCommandBuffer> lists, uint64_t value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets go of what is done, of all streams of the device.
  static void RetireAll(VulkanContext& context, Kept* let_go);
  void RetireLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After `status` of a submission: gives up the open list, or all if the device is lost.
  absl::Status FailLocked(absl::Status status, Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasOpenLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return open_ != nullptr || !waits_.empty();
  }
  // Has `value` submitted; INVALID_ARGUMENT if there is nothing that would reach it.
  absl::Status EnsureSubmitted(uint64_t value);
  // The same for who is to know of losses before `value`: reports one that nobody was told of yet.
  absl::Status EnsureSubmittedOrLost(uint64_t value);
  // Waits for what was submitted before `value`, and lets go of that and what else is done.
  absl::Status WaitAndRetire(uint64_t value);
  // What the timeline has when all is done that was submitted of the work before `value`, which is
  // not beyond submitted_.
  uint64_t SignaledFor(uint64_t value) const {
    return std::min(value, signaled_.load(std::memory_order_acquire));
  }

  const std::shared_ptr<VulkanContext> context_;
  VulkanQueue& queue_;
  const Ref<const Timeline> timeline_;
  // Written under mutex_. A value is used up also by work that could not be submitted, and nobody
  // signals it then: signaled_ is the last one that the device reaches.
  std::atomic<uint64_t> submitted_;
  std::atomic<uint64_t> signaled_;
  std::atomic<uint64_t> lost_{0};    // the first value whose loss is to be reported; 0: none
  std::atomic<bool> failed_{false};  // whether status_ is an error

  mutable LightMutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);  // of a lost device
  absl::Status loss_ ABSL_GUARDED_BY(mutex_);    // of lost_
  Ref<CommandList> open_ ABSL_GUARDED_BY(mutex_);
  Kept open_kept_ ABSL_GUARDED_BY(mutex_);
  SemaphoreWaits waits_ ABSL_GUARDED_BY(mutex_);  // of the next submission
  Kept waits_kept_ ABSL_GUARDED_BY(mutex_);
  std::deque<Submission> in_flight_ ABSL_GUARDED_BY(mutex_);
  std::vector<Ref<CommandList>> spare_ ABSL_GUARDED_BY(mutex_);
  Stats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_COMMANDS_VULKAN_STREAM_H_
