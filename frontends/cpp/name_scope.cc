#include "tandem/frontends/cpp/name_scope.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace tandem {
namespace {

thread_local NameScope* innermost = nullptr;

int64_t NextOfProcess(absl::string_view hint) {
  static auto* mutex = new absl::Mutex;
  static auto* counts = new absl::flat_hash_map<std::string, int64_t>;
  absl::MutexLock lock(mutex);
  return (*counts)[std::string(hint)]++;
}

}  // namespace

NameScope::NameScope(std::string prefix)
    : prefix_(std::move(prefix)), outer_(std::exchange(innermost, this)) {}
NameScope::~NameScope() { innermost = outer_; }

std::string NameScope::Unique(absl::string_view hint) {
  if (innermost == nullptr) return absl::StrCat(hint, NextOfProcess(hint));
  return absl::StrCat(innermost->prefix_, hint, innermost->counts_[std::string(hint)]++);
}

namespace internal {

void BlockIdentity::SetLocal(std::string local) {
  LightMutexLock lock(&mutex_);
  local_ = std::move(local);
  named_.store(true, std::memory_order_release);
}

void BlockIdentity::SetParent(const std::shared_ptr<BlockIdentity>& parent,
                              const std::string& local) {
  std::erase_if(parents_, [&](const std::weak_ptr<BlockIdentity>& known) {
    return known.expired() || known.lock() == parent;
  });
  parents_.push_back(parent);
  if (!parent_.expired()) return;
  parent_ = parent;
  SetLocal(local);
}

std::string BlockIdentity::Name() {
  if (const auto above = parent_.lock()) return absl::StrCat(above->Name(), "_", Local());
  return Local();
}

const std::string& BlockIdentity::Local() {
  if (!named_.load(std::memory_order_acquire)) {
    LightMutexLock lock(&mutex_);
    if (local_.empty()) {
      local_ = NameScope::Unique(source_ != nullptr ? source_->NameHint() : "block");
    }
    named_.store(true, std::memory_order_release);
  }
  return local_;
}

void BlockIdentity::Changed() {
  version_.fetch_add(1, std::memory_order_release);
  for (const std::weak_ptr<BlockIdentity>& parent : parents_) {
    if (const auto above = parent.lock()) above->Changed();
  }
}

}  // namespace internal
}  // namespace tandem
