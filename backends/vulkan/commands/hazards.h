// Where a sequence of commands needs a barrier.
//
// Commands of a Vulkan queue may overlap and run in any order, unless a barrier stands between them.
// The tracker knows what the commands since the last barrier read and wrote, as ranges of buffers,
// and finds whether the next one touches bytes that a command before it writes, or writes bytes that
// one before it reads:
//
//   HazardTracker tracker;
//   if (tracker.Conflicts(accesses)) { /* record a barrier */ tracker.Clear(); }
//   tracker.Add(accesses);
//
// A barrier is taken to order everything before it with everything after it. Accesses of one command
// never conflict with each other. Cost: O(log n) for each access, n ranges since the last barrier;
// ranges that overlap or touch are one.
//
// Thread rules: one thread at a time. Pure: nothing here calls Vulkan.
#ifndef TANDEM_BACKENDS_VULKAN_COMMANDS_HAZARDS_H_
#define TANDEM_BACKENDS_VULKAN_COMMANDS_HAZARDS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace tandem::vulkan_backend {

struct MemoryAccess {
  uint64_t buffer = 0;  // identity of the VkBuffer
  uint64_t begin = 0;   // bytes
  uint64_t end = 0;     // first byte behind; begin == end: touches nothing
  bool read = false;
  bool write = false;
};

// A set of bytes of buffers.
class RangeSet {
 public:
  bool Intersects(uint64_t buffer, uint64_t begin, uint64_t end) const;
  void Insert(uint64_t buffer, uint64_t begin, uint64_t end);
  void Clear() { ranges_.clear(); }
  size_t size() const { return ranges_.size(); }

 private:
  struct Range {
    uint64_t buffer;
    uint64_t begin;
    uint64_t end;
  };
  // The first range of `buffer` that ends behind `offset` (or at it, if `touching`), or the first of
  // a later buffer.
  std::vector<Range>::const_iterator FirstEndingAfter(uint64_t buffer, uint64_t offset,
                                                      bool touching) const;

  std::vector<Range> ranges_;  // by buffer and begin; disjoint, not touching
};

class HazardTracker {
 public:
  bool Conflicts(absl::Span<const MemoryAccess> accesses) const;
  void Add(absl::Span<const MemoryAccess> accesses);
  void Clear();

 private:
  RangeSet reads_;
  RangeSet writes_;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_COMMANDS_HAZARDS_H_
