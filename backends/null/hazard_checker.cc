#include "tandem/backends/null/hazard_checker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tandem::null_backend {
namespace {

bool Overlap(const Access& a, const Access& b) {
  return a.buffer == b.buffer && a.size > 0 && b.size > 0 && a.offset < b.offset + b.size &&
         b.offset < a.offset + a.size;
}

bool SameRange(const Access& a, const Access& b) {
  return a.offset == b.offset && a.size == b.size;
}

std::string RangeText(int64_t begin, int64_t end) {
  return absl::StrCat("[", begin, ", ", end, ")");
}

std::string RangeText(const Access& a) { return RangeText(a.offset, a.offset + a.size); }

}  // namespace

void HazardChecker::Insert(Ranges& ranges, int64_t begin, int64_t end) {
  if (begin >= end) return;
  auto it = ranges.upper_bound(begin);
  if (it != ranges.begin() && std::prev(it)->second >= begin) --it;
  while (it != ranges.end() && it->first <= end) {
    begin = std::min(begin, it->first);
    end = std::max(end, it->second);
    it = ranges.erase(it);
  }
  ranges.emplace(begin, end);
}

int64_t HazardChecker::FirstMissing(const Ranges& ranges, int64_t begin, int64_t end) {
  auto it = ranges.upper_bound(begin);
  if (begin >= end || it == ranges.begin()) return begin;
  return std::clamp(std::prev(it)->second, begin, end);
}

void HazardChecker::Add(int64_t buffer, int64_t size) {
  absl::MutexLock lock(&mutex_);
  buffers_[buffer] = {size, {}};
  ++stats_.allocations;
  stats_.bytes_in_use += size;
  stats_.bytes_reserved = stats_.bytes_in_use;
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.bytes_in_use);
}

void HazardChecker::Remove(int64_t buffer) {
  absl::MutexLock lock(&mutex_);
  const auto it = buffers_.find(buffer);
  if (it == buffers_.end()) return;
  stats_.bytes_in_use -= it->second.size;
  stats_.bytes_reserved = stats_.bytes_in_use;
  buffers_.erase(it);
}

void HazardChecker::MarkWritten(int64_t buffer) {
  absl::MutexLock lock(&mutex_);
  if (auto it = buffers_.find(buffer); it != buffers_.end()) {
    Insert(it->second.written, 0, it->second.size);
  }
}

void HazardChecker::Check(absl::string_view what, absl::Span<const Access> accesses) {
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < accesses.size(); ++i) {
    const Access& access = accesses[i];
    const auto it = buffers_.find(access.buffer);
    if (it == buffers_.end()) {
      AddViolation(absl::StrCat(what, ": binding ", i, " uses a buffer that has ended"));
      continue;
    }
    if (access.reads) {
      const int64_t end = access.offset + access.size;
      const int64_t missing = FirstMissing(it->second.written, access.offset, end);
      if (missing < end) {
        AddViolation(absl::StrCat(what, ": binding ", i, " reads bytes ", RangeText(access),
                                  " of a buffer, byte ", missing, " of which nobody wrote"));
      }
    }
    for (size_t k = 0; k < i; ++k) {
      const Access& other = accesses[k];
      if (!(access.writes || other.writes) || !Overlap(access, other)) continue;
      // In place: exactly the same range, read by one and written by the other.
      if (SameRange(access, other) && !(access.writes && other.writes)) continue;
      AddViolation(absl::StrCat(what, ": bindings ", k, " and ", i, " overlap: bytes ",
                                RangeText(other), " and ", RangeText(access),
                                " of one buffer, and one of them is written"));
    }
  }
  for (const Access& access : accesses) {
    const auto it = buffers_.find(access.buffer);
    if (access.writes && it != buffers_.end()) {
      Insert(it->second.written, access.offset, access.offset + access.size);
    }
  }
}

void HazardChecker::Violation(std::string text) {
  absl::MutexLock lock(&mutex_);
  AddViolation(std::move(text));
}

void HazardChecker::AddViolation(std::string text) {
  if (report_.violations.size() < kMaxViolations) {
    report_.violations.push_back(std::move(text));
  } else {
    ++report_.violations_left_out;
  }
}

void HazardChecker::Count(int64_t NullReport::*counter) {
  absl::MutexLock lock(&mutex_);
  ++(report_.*counter);
}

AllocatorStats HazardChecker::stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

void HazardChecker::ResetPeak() {
  absl::MutexLock lock(&mutex_);
  stats_.peak_bytes = stats_.bytes_in_use;
}

NullReport HazardChecker::TakeReport() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(report_, NullReport());
}

}  // namespace tandem::null_backend
