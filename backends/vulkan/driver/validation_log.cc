#include "tandem/backends/vulkan/driver/validation_log.h"

namespace tandem::vulkan_backend {
namespace {

// A mistake in a loop gives a message each time round.
constexpr int kMaxTexts = 100;

}  // namespace

ValidationLog& ValidationLog::Global() {
  // Never destroyed: instances may end after static storage.
  static auto* const log = new ValidationLog;
  return *log;
}

void ValidationLog::Add(std::string message) {
  absl::MutexLock lock(&mutex_);
  ++count_;
  if (texts_.size() < kMaxTexts) texts_.push_back(std::move(message));
}

int64_t ValidationLog::count() const {
  absl::MutexLock lock(&mutex_);
  return count_;
}

std::vector<std::string> ValidationLog::Take() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(texts_, {});
}

}  // namespace tandem::vulkan_backend
