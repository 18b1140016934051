#include "tandem/backends/vulkan/memory/range_allocator.h"

#include <algorithm>
#include <bit>

namespace tandem::vulkan_backend {
namespace {

// Ranges of a request's own class that are looked at.
constexpr int kTries = 8;

}  // namespace

RangeAllocator::RangeAllocator(int64_t size, int64_t granule)
    : size_(size & ~(granule - 1)), granule_(granule) {
  heads_.fill(kNone);
  if (size_ > 0) Link(NewNode({0, size_, kNone, kNone, kNone, kNone, true}));
}

int RangeAllocator::Bin(int64_t size) const {
  const uint64_t granules = static_cast<uint64_t>(size / granule_);
  // Below kSubclasses every size has a bin of its own.
  if (granules < kSubclasses) return static_cast<int>(granules);
  const int log = std::bit_width(granules) - 1;
  const int subclass = static_cast<int>((granules >> (log - kSubclassBits)) & (kSubclasses - 1));
  return (log - kSubclassBits + 1) * kSubclasses + subclass;
}

uint32_t RangeAllocator::FindFit(int64_t size) const {
  const int bin = Bin(size);
  uint32_t best = kNone;
  int tries = kTries;
  for (uint32_t i = heads_[bin]; i != kNone && tries > 0; i = nodes_[i].next, --tries) {
    if (nodes_[i].size < size) continue;
    if (best == kNone || nodes_[i].size < nodes_[best].size) best = i;
    if (nodes_[i].size == size) break;
  }
  if (best != kNone) return best;
  // All ranges of larger bins are long enough. First the rest of the same class.
  const int klass = bin / kSubclasses;
  const int subclass = bin % kSubclasses;
  const uint32_t above = subclasses_[klass] & (~uint32_t{0} << (subclass + 1));
  if (above != 0) return heads_[klass * kSubclasses + std::countr_zero(above)];
  const uint64_t larger = klass + 1 < kClasses ? classes_ & (~uint64_t{0} << (klass + 1)) : 0;
  if (larger != 0) {
    const int next = std::countr_zero(larger);
    return heads_[next * kSubclasses + std::countr_zero(uint32_t{subclasses_[next]})];
  }
  // There may be one behind those that were looked at.
  for (uint32_t i = heads_[bin]; i != kNone; i = nodes_[i].next) {
    if (nodes_[i].size >= size) return i;
  }
  return kNone;
}

std::optional<RangeAllocator::Range> RangeAllocator::Allocate(int64_t bytes) {
  if (bytes > size_ - used_) return std::nullopt;
  const int64_t size = (bytes + granule_ - 1) & ~(granule_ - 1);
  const uint32_t found = FindFit(size);
  if (found == kNone) return std::nullopt;
  Unlink(found);
  if (const int64_t rest = nodes_[found].size - size; rest > 0) {
    const uint32_t after = nodes_[found].after;
    const uint32_t remainder =
        NewNode({nodes_[found].offset + size, rest, found, after, kNone, kNone, true});
    if (after != kNone) nodes_[after].before = remainder;
    nodes_[found].after = remainder;
    nodes_[found].size = size;
    Link(remainder);
  }
  nodes_[found].free = false;
  used_ += size;
  return Range{found, nodes_[found].offset, size};
}

void RangeAllocator::Free(uint32_t node) {
  used_ -= nodes_[node].size;
  nodes_[node].free = true;
  if (const uint32_t after = nodes_[node].after; after != kNone && nodes_[after].free) {
    Unlink(after);
    AbsorbNext(node);
  }
  if (const uint32_t before = nodes_[node].before; before != kNone && nodes_[before].free) {
    Unlink(before);
    AbsorbNext(before);
    node = before;
  }
  Link(node);
}

int64_t RangeAllocator::LargestFree() const {
  if (classes_ == 0) return 0;
  const int klass = std::bit_width(classes_) - 1;
  const int subclass = std::bit_width(uint32_t{subclasses_[klass]}) - 1;
  int64_t largest = 0;
  for (uint32_t i = heads_[klass * kSubclasses + subclass]; i != kNone; i = nodes_[i].next) {
    largest = std::max(largest, nodes_[i].size);
  }
  return largest;
}

uint32_t RangeAllocator::NewNode(const Node& node) {
  if (unused_ == kNone) {
    nodes_.push_back(node);
    return static_cast<uint32_t>(nodes_.size() - 1);
  }
  const uint32_t index = unused_;
  unused_ = nodes_[index].next;
  nodes_[index] = node;
  return index;
}

void RangeAllocator::Link(uint32_t node) {
  const int bin = Bin(nodes_[node].size);
  nodes_[node].previous = kNone;
  nodes_[node].next = heads_[bin];
  if (heads_[bin] != kNone) nodes_[heads_[bin]].previous = node;
  heads_[bin] = node;
  classes_ |= uint64_t{1} << (bin / kSubclasses);
  subclasses_[bin / kSubclasses] |= static_cast<uint8_t>(1u << (bin % kSubclasses));
}

void RangeAllocator::Unlink(uint32_t node) {
  const Node& n = nodes_[node];
  if (n.next != kNone) nodes_[n.next].previous = n.previous;
  if (n.previous != kNone) {
    nodes_[n.previous].next = n.next;
    return;
  }
  const int bin = Bin(n.size);
  heads_[bin] = n.next;
  if (n.next != kNone) return;
  uint8_t& subclasses = subclasses_[bin / kSubclasses];
  subclasses &= static_cast<uint8_t>(~(1u << (bin % kSubclasses)));
  if (subclasses == 0) classes_ &= ~(uint64_t{1} << (bin / kSubclasses));
}

void RangeAllocator::AbsorbNext(uint32_t node) {
  const uint32_t gone = nodes_[node].after;
  nodes_[node].size += nodes_[gone].size;
  nodes_[node].after = nodes_[gone].after;
  if (nodes_[gone].after != kNone) nodes_[nodes_[gone].after].before = node;
  nodes_[gone].next = unused_;
  unused_ = gone;
}

}  // namespace tandem::vulkan_backend
