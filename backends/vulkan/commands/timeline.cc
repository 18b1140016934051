#include "tandem/backends/vulkan/commands/timeline.h"

#include <algorithm>
#include <utility>

#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

// A device may be declared lost while somebody waits: look every so often.
constexpr uint64_t kWaitNanoseconds = 100'000'000;

// Keeps the larger value.
void Raise(std::atomic<uint64_t>& to, uint64_t value) {
  uint64_t now = to.load(std::memory_order_relaxed);
  while (now < value && !to.compare_exchange_weak(now, value, std::memory_order_release,
                                                  std::memory_order_relaxed)) {
  }
}

}  // namespace

absl::StatusOr<Ref<const Timeline>> Timeline::Create(std::shared_ptr<VulkanContext> context) {
  Ref<Timeline> timeline(new Timeline(std::move(context)));
  VkSemaphoreTypeCreateInfo type = {};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  info.pNext = &type;
  VulkanContext& owner = *timeline->context_;
  VkResult result = owner.InjectedFault();
  if (result == VK_SUCCESS) timeline->semaphore_ = owner.TakeSemaphore();
  if (timeline->semaphore_ != VK_NULL_HANDLE) {
    uint64_t value = 0;
    result =
        owner.functions().GetSemaphoreCounterValue(owner.device(), timeline->semaphore_, &value);
    TANDEM_RETURN_IF_ERROR(owner.Check(result, "vkGetSemaphoreCounterValue"));
    timeline->first_ = value;
    timeline->reached_.store(value, std::memory_order_relaxed);
    return Ref<const Timeline>(std::move(timeline));
  }
  if (result == VK_SUCCESS) {
    result =
        owner.functions().CreateSemaphore(owner.device(), &info, nullptr, &timeline->semaphore_);
  }
  TANDEM_RETURN_IF_ERROR(owner.Check(result, "vkCreateSemaphore"));
  return Ref<const Timeline>(std::move(timeline));
}

Timeline::~Timeline() {
  if (semaphore_ != VK_NULL_HANDLE) context_->GiveSemaphore(semaphore_);
}

uint64_t Timeline::Reached(uint64_t wanted) const {
  const uint64_t known = reached_.load(std::memory_order_acquire);
  if (known >= wanted) return known;
  uint64_t value = 0;
  const VkResult result =
      context_->functions().GetSemaphoreCounterValue(context_->device(), semaphore_, &value);
  if (!context_->Check(result, "vkGetSemaphoreCounterValue").ok()) return known;
  Raise(reached_, value);
  return std::max(known, value);
}

VkResult Timeline::WaitOnce(uint64_t value, uint64_t nanoseconds) const {
  VkSemaphoreWaitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.semaphoreCount = 1;
  info.pSemaphores = &semaphore_;
  info.pValues = &value;
  const VkResult result =
      context_->functions().WaitSemaphores(context_->device(), &info, nanoseconds);
  if (result == VK_SUCCESS) Raise(reached_, value);
  return result;
}

absl::Status Timeline::Wait(uint64_t value) const {
  while (true) {
    TANDEM_RETURN_IF_ERROR(context_->Alive());
    if (reached_.load(std::memory_order_acquire) >= value) return absl::OkStatus();
    const VkResult result = WaitOnce(value, kWaitNanoseconds);
    if (result != VK_TIMEOUT) return context_->Check(result, "vkWaitSemaphores");
  }
}

void Timeline::Drain(uint64_t value) const {
  while (WaitOnce(value, kWaitNanoseconds) == VK_TIMEOUT) {
  }
}

}  // namespace tandem::vulkan_backend
