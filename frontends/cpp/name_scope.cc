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

std::string BlockIdentity::Name() {
  if (const auto above = parent.lock()) return absl::StrCat(above->Name(), "_", local);
  return Local();
}

const std::string& BlockIdentity::Local() {
  if (local.empty()) local = NameScope::Unique(hint.empty() ? "block" : hint);
  return local;
}

void BlockIdentity::Changed() {
  version.fetch_add(1, std::memory_order_relaxed);
  if (const auto above = parent.lock()) above->Changed();
}

}  // namespace internal
}  // namespace tandem
