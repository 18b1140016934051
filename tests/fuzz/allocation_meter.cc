#include "tandem/tests/fuzz/allocation_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace tandem::fuzz {
namespace {

std::atomic<int64_t> bytes_in_use{0};
std::atomic<int64_t> peak{0};

void Count(int64_t bytes) {
  const int64_t now = bytes_in_use.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  int64_t seen = peak.load(std::memory_order_relaxed);
  while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
}

}  // namespace

void* CountedAllocate(size_t size, size_t alignment) {
  if (size > kLargestRequest) {
    std::fprintf(stderr, "one request of %zu bytes: a size was taken from the input unchecked\n",
                 size);
    std::abort();
  }
  void* memory = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    memory = std::malloc(size == 0 ? 1 : size);
  } else if (posix_memalign(&memory, alignment, size == 0 ? 1 : size) != 0) {
    memory = nullptr;
  }
  if (memory == nullptr) {
    std::fprintf(stderr, "out of memory at a request of %zu bytes\n", size);
    std::abort();
  }
  Count(static_cast<int64_t>(malloc_usable_size(memory)));
  return memory;
}

void CountedFree(void* memory) {
  if (memory == nullptr) return;
  Count(-static_cast<int64_t>(malloc_usable_size(memory)));
  std::free(memory);
}

AllocationMeter::AllocationMeter() : start_(bytes_in_use.load(std::memory_order_relaxed)) {
  peak.store(start_, std::memory_order_relaxed);
}

int64_t AllocationMeter::peak_bytes() const {
  return peak.load(std::memory_order_relaxed) - start_;
}

}  // namespace tandem::fuzz

using tandem::fuzz::CountedAllocate;
using tandem::fuzz::CountedFree;

// The other forms of the standard library call these two.
void* operator new(size_t size) { return CountedAllocate(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) {
  return CountedAllocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { CountedFree(memory); }
void operator delete(void* memory, size_t) noexcept { CountedFree(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { CountedFree(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { CountedFree(memory); }
// Sanitizers bring array and nothrow forms of their own, which would not find memory of these.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return CountedAllocate(size, 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return CountedAllocate(size, 1);
}
void* operator new[](size_t size) { return CountedAllocate(size, 1); }
void* operator new[](size_t size, std::align_val_t alignment) {
  return CountedAllocate(size, static_cast<size_t>(alignment));
}
void operator delete[](void* memory) noexcept { CountedFree(memory); }
void operator delete[](void* memory, size_t) noexcept { CountedFree(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { CountedFree(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { CountedFree(memory); }
