// Follows which bytes of which buffers were written, and judges each dispatch by it.
//
//   HazardChecker checker;
//   checker.Add(id, size);                     // a buffer begins
//   checker.Check("relu", {{id, 0, 64, kRead}, {id, 64, 64, kWrite}});
//   NullReport report = checker.TakeReport();  // "relu: binding 0 reads bytes …"
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_NULL_HAZARD_CHECKER_H_
#define TANDEM_BACKENDS_NULL_HAZARD_CHECKER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/core/device/buffer.h"

namespace tandem::null_backend {

struct NullReport {
  int64_t dispatches = 0;
  int64_t copies = 0;
  int64_t fills = 0;
  int64_t submits = 0;
  // Texts, at most HazardChecker::kMaxViolations; the rest is counted only.
  std::vector<std::string> violations;
  int64_t violations_left_out = 0;
};

// A range of bytes of a buffer, and what is done with it.
struct Access {
  int64_t buffer;  // as given to Add
  int64_t offset;
  int64_t size;
  bool reads;
  bool writes;
};

class HazardChecker {
 public:
  static constexpr int kMaxViolations = 100;

  // A buffer begins: nothing in it is written yet. Its id was never used before.
  void Add(int64_t buffer, int64_t size);
  // It ends; a later access is a violation.
  void Remove(int64_t buffer);
  // The host wrote all of it, or may have (by Map).
  void MarkWritten(int64_t buffer);

  // Judges one step, whose accesses all happen at once, and notes what it writes.
  void Check(absl::string_view what, absl::Span<const Access> accesses);
  void Violation(std::string text);
  void CountDispatch() { Count(&NullReport::dispatches); }
  void CountCopy() { Count(&NullReport::copies); }
  void CountFill() { Count(&NullReport::fills); }
  void CountSubmit() { Count(&NullReport::submits); }

  NullReport TakeReport();

  // Of the buffers that live; their own sizes, without any rounding.
  AllocatorStats stats() const;
  void ResetPeak();

 private:
  // Disjoint ranges [begin, end) that were written, by begin; neighbours are joined.
  using Ranges = std::map<int64_t, int64_t>;
  struct State {
    int64_t size;
    Ranges written;
  };

  static void Insert(Ranges& ranges, int64_t begin, int64_t end);
  // The first byte of [begin, end) that is in no range; `end` if there is none.
  static int64_t FirstMissing(const Ranges& ranges, int64_t begin, int64_t end);
  void Count(int64_t NullReport::*counter);
  void AddViolation(std::string text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<int64_t, State> buffers_ ABSL_GUARDED_BY(mutex_);
  NullReport report_ ABSL_GUARDED_BY(mutex_);
  AllocatorStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::null_backend

#endif  // TANDEM_BACKENDS_NULL_HAZARD_CHECKER_H_
