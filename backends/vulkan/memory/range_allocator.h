// Places ranges in a block of memory: numbers only, no memory.
//
//   RangeAllocator ranges(64 << 20, 64);
//   if (auto range = ranges.Allocate(4096)) { ... range->offset ...; ranges.Free(range->node); }
//
// Free ranges are kept in classes of sizes, eight to a power of two, and two bit masks tell which
// classes are not empty (M. Masmano et al., "TLSF: a new dynamic memory allocator for real-time
// systems", 2004). A request looks through some ranges of its own class for the tightest fit, and
// takes one of the next larger class else. A freed range merges with free neighbours at once.
// That is O(1), but for a request that only its own class can serve, and nothing is allocated from
// the heap but for new nodes.
//
// Thread rules: one thread at a time.
#ifndef TANDEM_BACKENDS_VULKAN_MEMORY_RANGE_ALLOCATOR_H_
#define TANDEM_BACKENDS_VULKAN_MEMORY_RANGE_ALLOCATOR_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace tandem::vulkan_backend {

class RangeAllocator {
 public:
  struct Range {
    uint32_t node;   // for Free
    int64_t offset;  // a multiple of the granule
    int64_t size;    // the request, rounded up to the granule
  };

  // `size` and the sizes of all ranges are multiples of `granule`, a power of two.
  RangeAllocator(int64_t size, int64_t granule);

  // `bytes` > 0. Nothing if no free range is long enough.
  std::optional<Range> Allocate(int64_t bytes);
  void Free(uint32_t node);

  int64_t size() const { return size_; }
  int64_t used() const { return used_; }
  bool empty() const { return used_ == 0; }
  // A request of this size succeeds, one that is larger by a granule does not.
  int64_t LargestFree() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr int kSubclassBits = 3;
  static constexpr int kSubclasses = 1 << kSubclassBits;
  static constexpr int kClasses = 64;

  struct Node {
    int64_t offset;
    int64_t size;
    // By address.
    uint32_t before;
    uint32_t after;
    // Free ranges of one class; of unused nodes, `next` links the list of them.
    uint32_t previous;
    uint32_t next;
    bool free;
  };

  // The class of a size, and within it the subclass, as one number.
  int Bin(int64_t size) const;
  uint32_t FindFit(int64_t size) const;
  uint32_t NewNode(const Node& node);
  void Link(uint32_t node);
  void Unlink(uint32_t node);
  // Takes `node`'s successor into `node`; neither is linked.
  void AbsorbNext(uint32_t node);

  const int64_t size_;
  const int64_t granule_;
  int64_t used_ = 0;
  std::vector<Node> nodes_;
  uint32_t unused_ = kNone;
  uint64_t classes_ = 0;                           // bit c: class c has a free range
  std::array<uint8_t, kClasses> subclasses_ = {};  // bit s: subclass s has one
  std::array<uint32_t, kClasses * kSubclasses> heads_;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_MEMORY_RANGE_ALLOCATOR_H_
