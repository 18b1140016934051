#include "tandem/backends/vulkan/commands/hazards.h"

#include <algorithm>

namespace tandem::vulkan_backend {

std::vector<RangeSet::Range>::const_iterator RangeSet::FirstEndingAfter(uint64_t buffer,
                                                                        uint64_t offset,
                                                                        bool touching) const {
  // Ranges of a buffer are disjoint, so their ends are in order, too.
  return std::partition_point(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    if (range.buffer != buffer) return range.buffer < buffer;
    return touching ? range.end < offset : range.end <= offset;
  });
}

bool RangeSet::Intersects(uint64_t buffer, uint64_t begin, uint64_t end) const {
  if (begin >= end) return false;
  const auto it = FirstEndingAfter(buffer, begin, /*touching=*/false);
  return it != ranges_.end() && it->buffer == buffer && it->begin < end;
}

void RangeSet::Insert(uint64_t buffer, uint64_t begin, uint64_t end) {
  if (begin >= end) return;
  const auto first = FirstEndingAfter(buffer, begin, /*touching=*/true);
  auto last = first;
  while (last != ranges_.end() && last->buffer == buffer && last->begin <= end) ++last;
  if (first == last) {
    ranges_.insert(first, {buffer, begin, end});
    return;
  }
  Range& merged = ranges_[first - ranges_.begin()];
  merged.begin = std::min(merged.begin, begin);
  merged.end = std::max((last - 1)->end, end);
  ranges_.erase(first + 1, last);
}

bool HazardTracker::Conflicts(absl::Span<const MemoryAccess> accesses) const {
  for (const MemoryAccess& a : accesses) {
    if (!a.read && !a.write) continue;
    if (writes_.Intersects(a.buffer, a.begin, a.end)) return true;
    if (a.write && reads_.Intersects(a.buffer, a.begin, a.end)) return true;
  }
  return false;
}

void HazardTracker::Add(absl::Span<const MemoryAccess> accesses) {
  for (const MemoryAccess& a : accesses) {
    if (a.read) reads_.Insert(a.buffer, a.begin, a.end);
    if (a.write) writes_.Insert(a.buffer, a.begin, a.end);
  }
}

void HazardTracker::Clear() {
  reads_.Clear();
  writes_.Clear();
}

}  // namespace tandem::vulkan_backend
