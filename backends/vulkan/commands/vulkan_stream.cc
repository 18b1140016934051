#include "tandem/backends/vulkan/commands/vulkan_stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/commands/command_checks.h"
#include "tandem/backends/vulkan/commands/vulkan_command_buffer.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

// After so many commands ask whether the device is idle, and if so submit them.
constexpr int kCommandsWhenIdle = 16;

// For points of streams that cannot signal this device.
absl::Status WaitOnHost(const TimelinePoint& point) {
  return const_cast<Stream*>(point.stream)->Synchronize(point);
}

// Appends `from`, which is empty then.
void MoveTo(std::vector<Ref<const RefCounted>>& from, std::vector<Ref<const RefCounted>>* to) {
  if (to->empty()) {
    to->swap(from);
    return;
  }
  to->insert(to->end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

absl::StatusOr<Ref<VulkanStream>> VulkanStream::Create(std::shared_ptr<VulkanContext> context) {
  VulkanQueue& queue = context->NextQueue();
  return Create(std::move(context), queue);
}

absl::StatusOr<Ref<VulkanStream>> VulkanStream::Create(std::shared_ptr<VulkanContext> context,
                                                       VulkanQueue& queue) {
  TANDEM_ASSIGN_OR_RETURN(Ref<const Timeline> timeline, Timeline::Create(context));
  return Ref<VulkanStream>(new VulkanStream(std::move(context), queue, std::move(timeline)));
}

VulkanStream::VulkanStream(std::shared_ptr<VulkanContext> context, VulkanQueue& queue,
                           Ref<const Timeline> timeline)
    : context_(std::move(context)),
      queue_(queue),
      timeline_(std::move(timeline)),
      submitted_(timeline_->first()),
      signaled_(timeline_->first()) {
  context_->streams().Add(this);
}

VulkanStream::~VulkanStream() {
  context_->streams().Remove(this);
  Flush().IgnoreError();  // nobody is left to be told
  timeline_->Drain(signaled_.load(std::memory_order_relaxed));
}

absl::Status VulkanStream::Record(const Dispatch& dispatch) {
  TANDEM_RETURN_IF_ERROR(CheckComputes());
  TANDEM_RETURN_IF_ERROR(CheckDispatch(*context_, dispatch));
  const auto& program = static_cast<const VulkanProgram&>(*dispatch.program);
  VkDescriptorBufferInfo ranges[kMaxBindings];
  for (size_t i = 0; i < dispatch.bindings.size(); ++i) {
    const BufferView& view = dispatch.bindings[i];
    TANDEM_RETURN_IF_ERROR(CheckView(*context_, program.name(), i, view));
    TANDEM_RETURN_IF_ERROR(ToDescriptor(*context_, program.name(), i, view, &ranges[i]));
  }
  if (IsEmptyGrid(dispatch.grid)) return absl::OkStatus();
  TANDEM_ASSIGN_OR_RETURN(const VkPipeline pipeline, program.Pipeline());
  Kept let_go;
  LightMutexLock lock(&mutex_);
  TANDEM_RETURN_IF_ERROR(OpenLocked(&let_go));
  TANDEM_RETURN_IF_ERROR(open_->Dispatch(program, pipeline, {ranges, dispatch.bindings.size()},
                                         dispatch.reads, dispatch.writes, dispatch.constants,
                                         dispatch.grid));
  open_kept_.emplace_back(&program);
  for (const BufferView& view : dispatch.bindings) open_kept_.emplace_back(view.buffer);
  return CommandAddedLocked(&let_go);
}

absl::Status VulkanStream::Copy(const BufferView& from, const BufferView& to) {
  TANDEM_RETURN_IF_ERROR(CheckCopy(from, to));
  TANDEM_RETURN_IF_ERROR(CheckView(*context_, "copy", 0, from));
  TANDEM_RETURN_IF_ERROR(CheckView(*context_, "copy", 1, to));
  if (from.size == 0) return absl::OkStatus();
  const VkDescriptorBufferInfo from_range = RangeOf(from);
  const VkDescriptorBufferInfo to_range = RangeOf(to);
  TANDEM_RETURN_IF_ERROR(CheckCopyRanges(from_range, to_range));
  Kept let_go;
  LightMutexLock lock(&mutex_);
  TANDEM_RETURN_IF_ERROR(OpenLocked(&let_go));
  open_->Copy(from_range, to_range);
  open_kept_.emplace_back(from.buffer);
  open_kept_.emplace_back(to.buffer);
  return CommandAddedLocked(&let_go);
}

absl::Status VulkanStream::Fill(const BufferView& to, uint32_t pattern) {
  TANDEM_RETURN_IF_ERROR(CheckFill(to));
  TANDEM_RETURN_IF_ERROR(CheckView(*context_, "fill", 0, to));
  if (to.size == 0) return absl::OkStatus();
  Kept let_go;
  LightMutexLock lock(&mutex_);
  TANDEM_RETURN_IF_ERROR(OpenLocked(&let_go));
  open_->Fill(RangeOf(to), pattern);
  open_kept_.emplace_back(to.buffer);
  return CommandAddedLocked(&let_go);
}

absl::StatusOr<TimelinePoint> VulkanStream::Submit(const Ref<CommandBuffer>& commands,
                                                   absl::Span<const BufferView> bindings) {
  if (commands == nullptr) return absl::InvalidArgumentError("submit: there is no command buffer");
  TANDEM_RETURN_IF_ERROR(CheckComputes());
  auto& recorded = static_cast<VulkanCommandBuffer&>(*commands);
  if (&recorded.context() != context_.get()) {
    return absl::InvalidArgumentError(
        absl::StrCat("submit: the command buffer is of ", recorded.context().id().ToString(),
                     ", the stream of another device, ", context_->id().ToString()));
  }
  TANDEM_ASSIGN_OR_RETURN(Ref<const CommandList> list, recorded.ListFor(bindings));
  Kept kept;
  kept.reserve(bindings.size() + 2);
  kept.push_back(commands);
  kept.push_back(list);
  for (const BufferView& view : bindings) {
    if (view.buffer != nullptr) kept.emplace_back(view.buffer);
  }
  Kept let_go;
  LightMutexLock lock(&mutex_);
  TANDEM_RETURN_IF_ERROR(SubmitLocked(list.get(), std::move(kept), &let_go));
  return TimelinePoint{this, submitted_.load(std::memory_order_relaxed)};
}

TimelinePoint VulkanStream::Now() {
  LightMutexLock lock(&mutex_);
  return {this, submitted_.load(std::memory_order_relaxed) + (HasOpenLocked() ? 1 : 0)};
}

absl::Status VulkanStream::WaitFor(const TimelinePoint& point) {
  if (point.stream == nullptr || point.stream == this) return absl::OkStatus();
  // dynamic_cast: a stream does not say what it is.
  auto* other = dynamic_cast<VulkanStream*>(const_cast<Stream*>(point.stream));
  if (other == nullptr || other->context_ != context_) {
    return WaitOnHost(point);
  }
  // Before anything of ours that waits for it: there may be one queue for both.
  TANDEM_RETURN_IF_ERROR(other->EnsureSubmittedOrLost(point.value));
  const uint64_t value = other->SignaledFor(point.value);
  // Every list begins with a barrier after all that its queue got before, so what is done is visible
  // there. On another queue only the semaphore makes it so.
  if (&queue_ == &other->queue_ && other->timeline_->Reached(value) >= value) {
    return absl::OkStatus();
  }
  const SemaphoreValue until = {other->timeline_->semaphore(), value};
  Kept let_go;
  LightMutexLock lock(&mutex_);
  TANDEM_RETURN_IF_ERROR(status_);
  if (waits_.Implies(other->timeline_->id(), value)) return absl::OkStatus();
  // What is open does not wait.
  if (open_ != nullptr) TANDEM_RETURN_IF_ERROR(FlushLocked(&let_go));
  waits_.Add(other->timeline_->id(), until);
  waits_kept_.push_back(other->timeline_);
  return absl::OkStatus();
}

absl::Status VulkanStream::CheckComputes() const {
  if (queue_.family().computes) [[likely]]
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("this stream of ", context_->id().ToString(),
                   " is for transfers: its queue copies "
                   "and fills, and does not compute; use another stream of the device"));
}

bool VulkanStream::Reached(const TimelinePoint& point) const {
  if (point.stream == nullptr) return true;
  if (point.stream != this) return point.stream->Reached(point);
  if (submitted_.load(std::memory_order_acquire) < point.value &&
      !const_cast<VulkanStream*>(this)->EnsureSubmitted(point.value).ok()) {
    return true;
  }
  const uint64_t value = SignaledFor(point.value);
  return failed_.load(std::memory_order_acquire) || timeline_->Reached(value) >= value ||
         !context_->Alive().ok();
}

absl::Status VulkanStream::Synchronize(const TimelinePoint& point) {
  if (point.stream == nullptr) return absl::OkStatus();
  if (point.stream != this) return WaitOnHost(point);
  TANDEM_RETURN_IF_ERROR(EnsureSubmittedOrLost(point.value));
  return WaitAndRetire(point.value);
}

absl::Status VulkanStream::WaitAndRetire(uint64_t value) {
  TANDEM_RETURN_IF_ERROR(timeline_->Wait(SignaledFor(value)));
  Kept let_go;
  // Also the staging buffers of an upload that this stream has waited for.
  RetireAll(*context_, &let_go);
  LightMutexLock lock(&mutex_);
  return status_;
}

absl::Status VulkanStream::Flush() {
  Kept let_go;
  LightMutexLock lock(&mutex_);
  return FlushLocked(&let_go);
}

void VulkanStream::RetireAll(VulkanContext& context, Kept* let_go) {
  context.streams().ForEach([&](VulkanStream* stream) {
    LightMutexLock lock(&stream->mutex_);
    stream->RetireLocked(let_go);
  });
}

bool VulkanStream::DrainAll(VulkanContext& context) {
  Kept let_go;
  std::vector<std::pair<Ref<const Timeline>, uint64_t>> pending;
  context.streams().ForEach([&](VulkanStream* stream) {
    LightMutexLock lock(&stream->mutex_);
    if (!stream->HasOpenLocked() && stream->in_flight_.empty()) return;
    stream->FlushLocked(&let_go).IgnoreError();  // remembered as a loss
    pending.emplace_back(stream->timeline_, stream->signaled_.load(std::memory_order_relaxed));
  });
  bool any = false;
  for (const auto& [timeline, value] : pending) any |= timeline->Wait(value).ok();
  RetireAll(context, &let_go);
  return any;
}

VulkanStream::Stats VulkanStream::stats() const {
  LightMutexLock lock(&mutex_);
  Stats stats = stats_;
  if (open_ != nullptr) {
    stats.commands += open_->num_commands();
    stats.barriers += open_->num_barriers();
  }
  return stats;
}

absl::Status VulkanStream::EnsureSubmitted(uint64_t value) {
  if (submitted_.load(std::memory_order_acquire) >= value) return absl::OkStatus();
  Kept let_go;
  LightMutexLock lock(&mutex_);
  const uint64_t submitted = submitted_.load(std::memory_order_relaxed);
  if (submitted >= value) return absl::OkStatus();
  TANDEM_RETURN_IF_ERROR(status_);
  if (value > submitted + (HasOpenLocked() ? 1 : 0)) {
    return absl::InvalidArgumentError(absl::StrCat("stream of ", context_->id().ToString(),
                                                   ": point ", value,
                                                   " is beyond what was queued, ", submitted));
  }
  return FlushLocked(&let_go);
}

absl::Status VulkanStream::EnsureSubmittedOrLost(uint64_t value) {
  const absl::Status status = EnsureSubmitted(value);
  uint64_t lost = lost_.load(std::memory_order_acquire);
  if (lost == 0 || lost > value) [[likely]]
    return status;
  LightMutexLock lock(&mutex_);
  // Another thread may have been told meanwhile.
  lost = lost_.load(std::memory_order_relaxed);
  if (lost == 0 || lost > value) return status;
  lost_.store(0, std::memory_order_relaxed);
  return std::exchange(loss_, absl::OkStatus());
}

absl::Status VulkanStream::OpenLocked(Kept* let_go) {
  TANDEM_RETURN_IF_ERROR(status_);
  if (open_ != nullptr) [[likely]]
    return absl::OkStatus();
  TANDEM_RETURN_IF_ERROR(context_->Alive());
  RetireLocked(let_go);
  if (spare_.empty()) {
    TANDEM_ASSIGN_OR_RETURN(Ref<CommandList> list, CommandList::Create(context_, queue_.family()));
    spare_.push_back(std::move(list));
    ++stats_.lists;
  }
  TANDEM_RETURN_IF_ERROR(spare_.back()->Begin(CommandList::Use::kOnce));
  open_ = std::move(spare_.back());
  spare_.pop_back();
  return absl::OkStatus();
}

absl::Status VulkanStream::CommandAddedLocked(Kept* let_go) {
  const int count = open_->num_commands();
  if (count < kMaxCommands) [[likely]] {
    if (count % kCommandsWhenIdle != 0) return absl::OkStatus();
    const uint64_t signaled = signaled_.load(std::memory_order_relaxed);
    if (timeline_->Reached(signaled) < signaled) return absl::OkStatus();
  }
  return FlushLocked(let_go);
}

absl::Status VulkanStream::FlushLocked(Kept* let_go) {
  TANDEM_RETURN_IF_ERROR(status_);
  if (!HasOpenLocked()) return absl::OkStatus();
  return SubmitLocked(nullptr, {}, let_go);
}

absl::Status VulkanStream::SubmitLocked(const CommandList* replay, Kept kept, Kept* let_go) {
  TANDEM_RETURN_IF_ERROR(status_);
  const uint64_t value = submitted_.load(std::memory_order_relaxed) + 1;
  if (absl::Status status = TrySubmitLocked(replay, value, let_go); !status.ok()) {
    MoveTo(kept, let_go);
    return FailLocked(std::move(status), let_go);
  }
  ++stats_.submissions;
  if (open_ != nullptr) {
    stats_.commands += open_->num_commands();
    stats_.barriers += open_->num_barriers();
  }
  // Not MoveTo: open_kept_ keeps its room for the next list.
  kept.insert(kept.end(), std::make_move_iterator(open_kept_.begin()),
              std::make_move_iterator(open_kept_.end()));
  open_kept_.clear();
  MoveTo(waits_kept_, &kept);
  waits_.Submitted();
  in_flight_.push_back({value, std::move(open_), std::move(kept)});
  signaled_.store(value, std::memory_order_release);
  submitted_.store(value, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status VulkanStream::TrySubmitLocked(const CommandList* replay, uint64_t value,
                                           Kept* let_go) {
  TANDEM_RETURN_IF_ERROR(context_->Alive());
  RetireLocked(let_go);
  if (in_flight_.size() >= kMaxInFlight) {
    TANDEM_RETURN_IF_ERROR(timeline_->Wait(in_flight_.front().value));
    RetireLocked(let_go);
  }
  VkCommandBuffer lists[2];
  size_t num_lists = 0;
  if (open_ != nullptr) {
    TANDEM_RETURN_IF_ERROR(open_->End());
    lists[num_lists++] = open_->handle();
  }
  if (replay != nullptr) lists[num_lists++] = replay->handle();
  return QueueLocked({lists, num_lists}, value);
}

absl::Status VulkanStream::QueueLocked(absl::Span<const VkCommandBuffer> lists, uint64_t value) {
  const auto submit = [&] {
    if (const VkResult fault = context_->InjectedFault(); fault != VK_SUCCESS) return fault;
    return queue_.Submit(
        {.lists = lists, .waits = waits_.pending(), .signal = {timeline_->semaphore(), value}});
  };
  VkResult result = submit();
  if (result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY) {
    // Pending submissions hold memory of the driver.
    TANDEM_RETURN_IF_ERROR(timeline_->Wait(signaled_.load(std::memory_order_relaxed)));
    result = submit();
  }
  return context_->Check(result, "vkQueueSubmit");
}

void VulkanStream::RetireLocked(Kept* let_go) {
  if (in_flight_.empty()) return;
  const uint64_t reached = timeline_->Reached();
  while (!in_flight_.empty() && in_flight_.front().value <= reached) {
    Submission& done = in_flight_.front();
    if (done.list != nullptr) spare_.push_back(std::move(done.list));
    MoveTo(done.kept, let_go);
    in_flight_.pop_front();
  }
}

absl::Status VulkanStream::FailLocked(absl::Status status, Kept* let_go) {
  const bool had_open = open_ != nullptr;
  // It is not pending, so it can be begun again.
  if (had_open) spare_.push_back(std::move(open_));
  MoveTo(open_kept_, let_go);
  if (!context_->Alive().ok()) {
    status_ = status;
    failed_.store(true, std::memory_order_release);
    waits_.Clear();
    MoveTo(waits_kept_, let_go);
    return status;
  }
  // Later work waits still, for what the lost one would have.
  if (!had_open) return status;
  // Now() may have handed this value out, for the open list.
  const uint64_t value = submitted_.load(std::memory_order_relaxed) + 1;
  if (lost_.load(std::memory_order_relaxed) == 0) {
    loss_ = Annotate(status, "work that was queued is lost");
    lost_.store(value, std::memory_order_release);
  }
  submitted_.store(value, std::memory_order_release);
  return status;
}

}  // namespace tandem::vulkan_backend
