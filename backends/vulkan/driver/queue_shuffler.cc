#include "tandem/backends/vulkan/driver/queue_shuffler.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace tandem::vulkan_backend {
namespace {

// Between two looks at semaphores.
constexpr absl::Duration kPoll = absl::Microseconds(50);
// Every other submission waits for up to so long, and others may overtake it.
constexpr int kLongestDelayMicroseconds = 200;

}  // namespace

QueueShuffler::QueueShuffler(const DeviceFunctions& vk, VkDevice device, VkQueue queue,
                             int num_queues, uint32_t seed)
    : vk_(vk), device_(device), queue_(queue), random_(seed), pending_(num_queues) {
  thread_ = std::thread([this] { Run(); });
}

QueueShuffler::~QueueShuffler() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

VkResult QueueShuffler::Submit(int queue, const QueueSubmission& submission) {
  absl::MutexLock lock(&mutex_);
  if (result_ != VK_SUCCESS) return VK_ERROR_DEVICE_LOST;
  pending_[queue].push_back({{submission.lists.begin(), submission.lists.end()},
                             {submission.waits.begin(), submission.waits.end()},
                             submission.signal});
  return VK_SUCCESS;
}

bool QueueShuffler::IsReady(const Pending& pending) const {
  return std::all_of(pending.waits.begin(), pending.waits.end(), [&](const SemaphoreValue& wait) {
    uint64_t reached = 0;
    return vk_.GetSemaphoreCounterValue(device_, wait.semaphore, &reached) != VK_SUCCESS ||
           reached >= wait.value;
  });
}

int QueueShuffler::PickLocked() {
  const int first = static_cast<int>(random_() % pending_.size());
  for (size_t i = 0; i < pending_.size(); ++i) {
    const int queue = static_cast<int>((first + i) % pending_.size());
    if (!pending_[queue].empty() && IsReady(pending_[queue].front())) return queue;
  }
  return -1;
}

bool QueueShuffler::HasWorkLocked() const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [](const std::deque<Pending>& queue) { return !queue.empty(); });
}

void QueueShuffler::Run() {
  const auto has_work_or_ends = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return ending_ || HasWorkLocked();
  };
  while (true) {
    mutex_.LockWhen(absl::Condition(&has_work_or_ends));
    if (!HasWorkLocked()) {
      mutex_.Unlock();
      return;
    }
    mutex_.Unlock();
    if (random_() % 2 == 0) {
      absl::SleepFor(absl::Microseconds(random_() % kLongestDelayMicroseconds));
    }
    mutex_.Lock();
    const int queue = PickLocked();
    if (queue < 0) {
      mutex_.Unlock();
      absl::SleepFor(kPoll);
      continue;
    }
    const Pending next = std::move(pending_[queue].front());
    pending_[queue].pop_front();
    mutex_.Unlock();
    const VkResult result = SubmitToQueue(
        vk_, queue_, {.lists = next.lists, .waits = next.waits, .signal = next.signal});
    if (result == VK_SUCCESS) continue;
    // Who submitted it has gone on; nobody must wait for ever.
    auto info = VkStruct<VkSemaphoreSignalInfo>(VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO);
    info.semaphore = next.signal.semaphore;
    info.value = next.signal.value;
    vk_.SignalSemaphore(device_, &info);
    absl::MutexLock lock(&mutex_);
    result_ = result;
  }
}

}  // namespace tandem::vulkan_backend
