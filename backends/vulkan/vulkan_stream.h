// A stream of a Vulkan device: a timeline semaphore and an open command list.
//
// Work that is recorded directly goes into the open list at once. The list is submitted when it has
// some hundred commands, when somebody waits for it or submits a command buffer, and earlier if the
// device has nothing to do. What a submission uses - buffers, programs, recorded commands - is kept
// alive until the device has reached its value of the timeline, and let go when the stream is used
// next. At most kMaxInFlight submissions are pending; whoever submits one more waits for the oldest.
//
// All streams of a device share its one queue, so a stream that waits for another one first has that
// one submit what it waits for. Waiting for a stream of another device blocks the host.
//
// If submitting fails, the work is lost: the stream keeps the error, and every later call returns it.
//
// Thread rules: as Stream says: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_VULKAN_STREAM_H_
#define TANDEM_BACKENDS_VULKAN_VULKAN_STREAM_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/command_list.h"
#include "tandem/backends/vulkan/timeline.h"
#include "tandem/backends/vulkan/vulkan_context.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/stream.h"

namespace tandem::vulkan_backend {

class VulkanStream final : public Stream {
 public:
  static constexpr int kMaxCommands = 100;  // in the open list
  static constexpr size_t kMaxInFlight = 64;

  static absl::StatusOr<Ref<VulkanStream>> Create(std::shared_ptr<VulkanContext> context);
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
  // Waits for everything and lets it go. False if there was nothing.
  bool Drain();

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
  struct Wait {
    Ref<const Timeline> timeline;
    uint64_t value;
  };

  VulkanStream(std::shared_ptr<VulkanContext> context, Ref<const Timeline> timeline);

  // Methods that take `kept` put there what may be let go: the caller destroys it without the mutex,
  // for a buffer's end may call anything.
  absl::Status OpenLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CommandAddedLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status FlushLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Submits the open list, if there is one, and then `replay` (or null), for which `kept` is kept.
  absl::Status SubmitLocked(const CommandList* replay, Kept kept, Kept* let_go)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status QueueLocked(absl::Span<const VkCommandBuffer> lists, uint64_t value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets go of the submissions that are done.
  void RetireLocked(Kept* let_go) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status FailLocked(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasOpenLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return open_ != nullptr || !waits_.empty();
  }
  // Has `value` submitted; INVALID_ARGUMENT if there is nothing that would reach it.
  absl::Status EnsureSubmitted(uint64_t value);

  const std::shared_ptr<VulkanContext> context_;
  const Ref<const Timeline> timeline_;
  std::atomic<uint64_t> submitted_{0};  // the last value; written under mutex_
  std::atomic<bool> failed_{false};     // whether status_ is an error

  mutable LightMutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  Ref<CommandList> open_ ABSL_GUARDED_BY(mutex_);
  Kept open_kept_ ABSL_GUARDED_BY(mutex_);
  std::vector<Wait> waits_ ABSL_GUARDED_BY(mutex_);  // of the next submission
  std::deque<Submission> in_flight_ ABSL_GUARDED_BY(mutex_);
  std::vector<Ref<CommandList>> spare_ ABSL_GUARDED_BY(mutex_);
  Stats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_VULKAN_STREAM_H_
