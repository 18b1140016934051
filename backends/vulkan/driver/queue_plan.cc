#include "tandem/backends/vulkan/driver/queue_plan.h"

#include <algorithm>
#include <bit>

namespace tandem::vulkan_backend {
namespace {

constexpr VkQueueFlags kWork = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
// What says nothing about the engine behind a queue.
constexpr VkQueueFlags kNeutral = VK_QUEUE_SPARSE_BINDING_BIT | VK_QUEUE_PROTECTED_BIT;

std::optional<uint32_t> ComputeFamily(absl::Span<const VkQueueFamilyProperties> families) {
  std::optional<uint32_t> with_graphics;
  for (uint32_t i = 0; i < families.size(); ++i) {
    const VkQueueFlags flags = families[i].queueFlags;
    if ((flags & VK_QUEUE_COMPUTE_BIT) == 0 || families[i].queueCount == 0) continue;
    if ((flags & VK_QUEUE_GRAPHICS_BIT) == 0) return i;
    if (!with_graphics.has_value()) with_graphics = i;
  }
  return with_graphics;
}

// A copy engine's. Video engines copy, too, beside what they are for: the family with the fewest
// other abilities.
std::optional<uint32_t> TransferFamily(absl::Span<const VkQueueFamilyProperties> families) {
  std::optional<uint32_t> best;
  const auto abilities = [&](uint32_t i) {
    return std::popcount(families[i].queueFlags & ~kNeutral);
  };
  for (uint32_t i = 0; i < families.size(); ++i) {
    const VkQueueFlags flags = families[i].queueFlags;
    if ((flags & VK_QUEUE_TRANSFER_BIT) == 0 || (flags & kWork) != 0) continue;
    if (families[i].queueCount == 0) continue;
    if (!best.has_value() || abilities(i) < abilities(*best)) best = i;
  }
  return best;
}

}  // namespace

std::vector<QueuePlan::Request> QueuePlan::Requests() const {
  std::vector<Request> requests;
  const auto request = [&](const QueueSlot& slot) {
    for (Request& known : requests) {
      if (known.family != slot.family.index) continue;
      known.count = std::max(known.count, slot.index + 1);
      return;
    }
    requests.push_back({slot.family.index, slot.index + 1});
  };
  for (const QueueSlot& slot : compute) request(slot);
  if (transfer.has_value()) request(*transfer);
  return requests;
}

std::optional<QueuePlan> PlanQueues(absl::Span<const VkQueueFamilyProperties> families) {
  const std::optional<uint32_t> family = ComputeFamily(families);
  if (!family.has_value()) return std::nullopt;
  QueuePlan plan;
  uint32_t count = families[*family].queueCount;
  if (const std::optional<uint32_t> transfer = TransferFamily(families)) {
    plan.transfer = {{*transfer, /*computes=*/false}, 0};
  } else if (count > 1) {
    count = std::min(count - 1, kMaxComputeQueues);
    plan.transfer = {{*family, /*computes=*/true}, count};
  }
  for (uint32_t i = 0; i < std::min(count, kMaxComputeQueues); ++i) {
    plan.compute.push_back({{*family, /*computes=*/true}, i});
  }
  return plan;
}

QueuePlan ShareOneQueue(const QueuePlan& plan, uint32_t num_compute) {
  const QueueSlot slot = plan.compute.front();
  QueuePlan shared;
  shared.compute.assign(num_compute, slot);
  shared.transfer = slot;
  shared.transfer->family.computes = false;
  shared.shuffled = true;
  return shared;
}

}  // namespace tandem::vulkan_backend
