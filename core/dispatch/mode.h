// Training mode and block path: what a call carries besides its arguments, per thread.
//
//   TrainingScope training(true);      // dropout drops, batch norm uses the batch's statistics
//   BlockScope block("lenet0.conv0");  // errors and graph nodes name it
//
// Thread rules: each thread has its own; a scope ends on the thread that began it.
#ifndef TANDEM_CORE_DISPATCH_MODE_H_
#define TANDEM_CORE_DISPATCH_MODE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace tandem {

// False unless a scope says otherwise.
bool IsTraining();

class TrainingScope {
 public:
  explicit TrainingScope(bool training);
  ~TrainingScope();
  TrainingScope(const TrainingScope&) = delete;
  TrainingScope& operator=(const TrainingScope&) = delete;

 private:
  bool previous_;
};

// The names of the blocks that are being called, outermost first, joined by '/'.
std::string CurrentBlockPath();

class BlockScope {
 public:
  // `name` must outlive the scope.
  explicit BlockScope(absl::string_view name);
  ~BlockScope();
  BlockScope(const BlockScope&) = delete;
  BlockScope& operator=(const BlockScope&) = delete;

 private:
  friend std::string CurrentBlockPath();
  absl::string_view name_;
  BlockScope* outer_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_DISPATCH_MODE_H_
