#include "tandem/backends/vulkan/driver/semaphore_waits.h"

#include <algorithm>

namespace tandem::vulkan_backend {

bool SemaphoreWaits::Implies(uint64_t id, uint64_t value) const {
  if (value == 0) return true;
  for (const Known& known : known_) {
    if (known.id == id && known.value >= value) return true;
  }
  const auto it = std::find(pending_ids_.begin(), pending_ids_.end(), id);
  return it != pending_ids_.end() && pending_[it - pending_ids_.begin()].value >= value;
}

bool SemaphoreWaits::Add(uint64_t id, const SemaphoreValue& until) {
  if (Implies(id, until.value)) return false;
  const auto it = std::find(pending_ids_.begin(), pending_ids_.end(), id);
  if (it == pending_ids_.end()) {
    pending_ids_.push_back(id);
    pending_.push_back(until);
  } else {
    pending_[it - pending_ids_.begin()].value = until.value;
  }
  return true;
}

void SemaphoreWaits::Submitted() {
  for (size_t i = 0; i < pending_.size(); ++i) {
    std::erase_if(known_, [&](const Known& known) { return known.id == pending_ids_[i]; });
    known_.push_back({pending_ids_[i], pending_[i].value});
  }
  if (known_.size() > kMaxRemembered) known_.erase(known_.begin(), known_.end() - kMaxRemembered);
  pending_.clear();
  pending_ids_.clear();
}

void SemaphoreWaits::Clear() {
  pending_.clear();
  pending_ids_.clear();
}

}  // namespace tandem::vulkan_backend
