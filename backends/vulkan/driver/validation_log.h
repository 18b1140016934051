// What the validation layer had to say, for tests: they expect nothing.
//
//   registry.SetOption("vulkan", "validation", "sync");  // before a device is opened
//   ...
//   EXPECT_THAT(ValidationLog::Global().Take(), IsEmpty());
//
// Errors and warnings of all instances of the process, also those of their ends (objects that were
// not destroyed).
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_VALIDATION_LOG_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_VALIDATION_LOG_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace tandem::vulkan_backend {

class ValidationLog {
 public:
  static ValidationLog& Global();

  void Add(std::string message);
  // Messages so far, also those that were taken.
  int64_t count() const;
  // The texts since the last call; of many, the first hundred.
  std::vector<std::string> Take();

 private:
  mutable absl::Mutex mutex_;
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> texts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_VALIDATION_LOG_H_
