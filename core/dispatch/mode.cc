#include "tandem/core/dispatch/mode.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"

namespace tandem {
namespace {

thread_local bool training = false;
thread_local BlockScope* innermost = nullptr;

}  // namespace

bool IsTraining() { return training; }

TrainingScope::TrainingScope(bool value) : previous_(std::exchange(training, value)) {}
TrainingScope::~TrainingScope() { training = previous_; }

BlockScope::BlockScope(absl::string_view name)
    : name_(name), outer_(std::exchange(innermost, this)) {}
BlockScope::~BlockScope() { innermost = outer_; }

std::string CurrentBlockPath() {
  std::vector<absl::string_view> names;
  for (const BlockScope* scope = innermost; scope != nullptr; scope = scope->outer_) {
    names.push_back(scope->name_);
  }
  return absl::StrJoin(names.rbegin(), names.rend(), "/");
}

}  // namespace tandem
