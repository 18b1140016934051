#include "tandem/backends/cpu/allocator.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "absl/base/config.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/cpu_buffer.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) static_cast<void>(0)
#endif

namespace tandem::cpu_backend {
namespace {

// A block has this many bytes before the buffer's own: BlockHeader and the Buffer object.
constexpr int64_t kHeaderBytes = 128;

// Classes of block sizes: multiples of 64 bytes up to 2 kB, then four steps per power of two.
constexpr int kSmallClasses = 32;
constexpr int kNumClasses = kSmallClasses + 4 * 40;  // up to 2^51 bytes

int SizeClass(int64_t bytes) {
  if (bytes <= 64 * kSmallClasses) return static_cast<int>((bytes + 63) / 64) - 1;
  const uint64_t last = static_cast<uint64_t>(bytes) - 1;
  const int log = std::bit_width(last) - 1;  // >= 11
  return kSmallClasses + (log - 11) * 4 + static_cast<int>((last >> (log - 2)) & 3);
}

int64_t ClassBytes(int size_class) {
  if (size_class < kSmallClasses) return (size_class + 1) * 64;
  const int log = 11 + (size_class - kSmallClasses) / 4;
  return int64_t{5 + (size_class - kSmallClasses) % 4} << (log - 2);
}

// Blocks of this size and more start at a multiple of it and ask for huge pages: a page fault per
// 2 MiB instead of one per 4 kB.
constexpr int64_t kHugePage = int64_t{2} << 20;

// Smaller blocks from this size on share such pages, a slab each: the weights of a small network then
// take one or two entries of the TLB instead of hundreds, which a batch of one notices.
constexpr int64_t kSlabBlock = 16 << 10;

// A huge page that blocks are cut from, front to back. It is freed with its last block.
struct Slab {
  std::byte* memory;
  int64_t used = 0;
  std::atomic<int64_t> owners{1};  // the pool while blocks are cut from it, and every block
};

struct BlockHeader {
  CpuAllocator::Pool* pool;
  BlockHeader* next;  // in the list of free blocks
  int64_t counted;    // bytes in the statistics
  Slab* slab;         // null: memory of its own
  int32_t size_class;
};

// For sections of a few instructions, a third of a mutex's price.
class SpinLock {
 public:
  void Lock() {
    while (locked_.exchange(true, std::memory_order_acquire)) {
      while (locked_.load(std::memory_order_relaxed)) sched_yield();
    }
  }
  void Unlock() { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

int64_t PhysicalMemory() {
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page = sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page > 0 ? pages * page : int64_t{1} << 50;
}

}  // namespace

class CpuAllocator::Pool {
 public:
  Pool(DeviceId device, const Options& options)
      : device_(device),
        reserved_limit_(options.reserved_bytes > 0 ? options.reserved_bytes : PhysicalMemory()),
        cached_limit_(options.cached_bytes),
        poison_(options.poison) {}

  absl::StatusOr<Ref<Buffer>> Allocate(int64_t bytes);
  void Free(BlockHeader* block);
  void Trim();
  // The allocator ends. The pool ends with its last block.
  void Close();

  DeviceId device() const { return device_; }
  AllocatorStats stats() const {
    return {in_use_.load(std::memory_order_relaxed), peak_.load(std::memory_order_relaxed),
            reserved_.load(std::memory_order_relaxed),
            allocations_.load(std::memory_order_relaxed)};
  }
  void ResetPeak() {
    peak_.store(in_use_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }

 private:
  struct FreeList {
    SpinLock lock;
    BlockHeader* head = nullptr;
  };

  BlockHeader* NewBlock(int size_class);
  void DeleteBlock(BlockHeader* block);
  // Memory that counts as reserved; null if there is none.
  void* Take(int64_t bytes, int64_t alignment);
  void GiveBack(void* memory, int64_t bytes);
  // A place in the current slab, or in a new one; null if there is no memory.
  Slab* CutFromSlab(int64_t bytes, void** memory);
  void DropSlab(Slab* slab);
  void Drop() {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  const DeviceId device_;
  const int64_t reserved_limit_;
  const int64_t cached_limit_;
  const std::shared_ptr<const std::atomic<bool>> poison_;
  std::atomic<int64_t> in_use_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> reserved_{0};
  std::atomic<int64_t> cached_{0};
  std::atomic<int64_t> allocations_{0};
  std::atomic<int64_t> owners_{1};  // the allocator, and every block, free or not
  std::atomic<bool> closed_{false};
  std::array<FreeList, kNumClasses> free_;
  SpinLock slab_lock_;
  Slab* slab_ = nullptr;  // the one that blocks are cut from
};

namespace {

BlockHeader* HeaderOf(void* buffer) {
  return reinterpret_cast<BlockHeader*>(static_cast<std::byte*>(buffer) - sizeof(BlockHeader));
}

// A buffer inside of its block, behind the header.
class BlockBuffer final : public CpuBuffer {
 public:
  BlockBuffer(DeviceId device, std::byte* data, int64_t size) : CpuBuffer(device, data, size) {}

  static void* operator new(size_t, BlockHeader* block) { return block + 1; }
  static void operator delete(void*, BlockHeader*) {}
  // The object has ended; its header has not.
  static void operator delete(void* buffer) {
    BlockHeader* block = HeaderOf(buffer);
    block->pool->Free(block);
  }
};
static_assert(sizeof(BlockHeader) + sizeof(BlockBuffer) <= kHeaderBytes);
static_assert(sizeof(BlockHeader) % alignof(BlockBuffer) == 0);

class ImportedBuffer final : public CpuBuffer {
 public:
  ImportedBuffer(DeviceId device, std::byte* data, int64_t size, std::function<void()> release)
      : CpuBuffer(device, data, size), release_(std::move(release)) {}
  ~ImportedBuffer() override {
    if (release_) release_();
  }

 private:
  std::function<void()> release_;
};

}  // namespace

absl::StatusOr<Ref<Buffer>> CpuAllocator::Pool::Allocate(int64_t bytes) {
  if (bytes < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a buffer cannot have ", bytes, " bytes"));
  }
  const auto exhausted = [&] {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", bytes, " bytes on ", device_.ToString(), ": ",
                     reserved_.load(std::memory_order_relaxed), " of ", reserved_limit_,
                     " bytes are taken; use smaller batches, or release tensors"));
  };
  if (bytes > reserved_limit_ || bytes > ClassBytes(kNumClasses - 1) - kHeaderBytes) {
    return exhausted();
  }
  const int64_t counted = (bytes + kAlignment - 1) & ~(kAlignment - 1);
  const int size_class = SizeClass(counted + kHeaderBytes);
  FreeList& list = free_[size_class];
  list.lock.Lock();
  BlockHeader* block = list.head;
  if (block != nullptr) list.head = block->next;
  list.lock.Unlock();
  if (block != nullptr) {
    cached_.fetch_sub(ClassBytes(size_class), std::memory_order_relaxed);
  } else {
    block = NewBlock(size_class);
    if (block == nullptr) return exhausted();
  }
  block->counted = counted;
  std::byte* data = reinterpret_cast<std::byte*>(block) + kHeaderBytes;
  ASAN_UNPOISON_MEMORY_REGION(block + 1, kHeaderBytes - sizeof(BlockHeader) + bytes);
  if (poison_ != nullptr && poison_->load(std::memory_order_relaxed))
    std::memset(data, 0xFF, bytes);
  const int64_t in_use = in_use_.fetch_add(counted, std::memory_order_relaxed) + counted;
  int64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < in_use && !peak_.compare_exchange_weak(peak, in_use, std::memory_order_relaxed)) {
  }
  allocations_.fetch_add(1, std::memory_order_relaxed);
  return Ref<Buffer>(new (block) BlockBuffer(device_, data, bytes));
}

void CpuAllocator::Pool::Free(BlockHeader* block) {
  in_use_.fetch_sub(block->counted, std::memory_order_relaxed);
  const int64_t bytes = ClassBytes(block->size_class);
  if (closed_.load(std::memory_order_acquire) || bytes > cached_limit_) {
    DeleteBlock(block);
    return;
  }
  if (cached_.fetch_add(bytes, std::memory_order_relaxed) + bytes > cached_limit_) Trim();
  // The header stays readable: it is the list's node.
  ASAN_POISON_MEMORY_REGION(block + 1, bytes - static_cast<int64_t>(sizeof(BlockHeader)));
  FreeList& list = free_[block->size_class];
  list.lock.Lock();
  block->next = list.head;
  list.head = block;
  list.lock.Unlock();
}

void* CpuAllocator::Pool::Take(int64_t bytes, int64_t alignment) {
  if (reserved_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= reserved_limit_) {
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, bytes) == 0) {
#if defined(MADV_HUGEPAGE)
      // A wish; its failure changes nothing but speed.
      if (bytes >= kHugePage) madvise(memory, bytes & ~(kHugePage - 1), MADV_HUGEPAGE);
#endif
      return memory;
    }
  }
  reserved_.fetch_sub(bytes, std::memory_order_relaxed);
  return nullptr;
}

void CpuAllocator::Pool::GiveBack(void* memory, int64_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  free(memory);
  reserved_.fetch_sub(bytes, std::memory_order_relaxed);
}

Slab* CpuAllocator::Pool::CutFromSlab(int64_t bytes, void** memory) {
  slab_lock_.Lock();
  Slab* full = nullptr;
  if (slab_ == nullptr || slab_->used + bytes > kHugePage) {
    full = std::exchange(slab_, nullptr);
    if (auto* fresh = static_cast<std::byte*>(Take(kHugePage, kHugePage))) {
      slab_ = new (std::nothrow) Slab{fresh};
      if (slab_ == nullptr) GiveBack(fresh, kHugePage);
    }
  }
  Slab* const slab = slab_;
  if (slab != nullptr) {
    *memory = slab->memory + slab->used;
    slab->used += bytes;
    slab->owners.fetch_add(1, std::memory_order_relaxed);
  }
  slab_lock_.Unlock();
  if (full != nullptr) DropSlab(full);
  return slab;
}

void CpuAllocator::Pool::DropSlab(Slab* slab) {
  if (slab->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  GiveBack(slab->memory, kHugePage);
  delete slab;
}

BlockHeader* CpuAllocator::Pool::NewBlock(int size_class) {
  const int64_t bytes = ClassBytes(size_class);
  void* memory = nullptr;
  Slab* slab = nullptr;
  // A second try after the cache was given back.
  for (int attempt = 0; attempt < 2 && memory == nullptr; ++attempt) {
    if (attempt > 0) Trim();
    if (bytes >= kSlabBlock && bytes < kHugePage) slab = CutFromSlab(bytes, &memory);
    // Also where there is room for the block, but not for a slab.
    if (memory == nullptr) {
      memory = Take(bytes, bytes >= kHugePage ? kHugePage : kAlignment);
    }
  }
  if (memory == nullptr) return nullptr;
  owners_.fetch_add(1, std::memory_order_relaxed);
  return new (memory) BlockHeader{this, nullptr, 0, slab, size_class};
}

void CpuAllocator::Pool::DeleteBlock(BlockHeader* block) {
  const int64_t bytes = ClassBytes(block->size_class);
  if (block->slab != nullptr) {
    ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    DropSlab(block->slab);
  } else {
    GiveBack(block, bytes);
  }
  Drop();
}

void CpuAllocator::Pool::Trim() {
  for (int size_class = 0; size_class < kNumClasses; ++size_class) {
    FreeList& list = free_[size_class];
    list.lock.Lock();
    BlockHeader* block = std::exchange(list.head, nullptr);
    list.lock.Unlock();
    while (block != nullptr) {
      BlockHeader* next = block->next;
      cached_.fetch_sub(ClassBytes(size_class), std::memory_order_relaxed);
      DeleteBlock(block);
      block = next;
    }
  }
  slab_lock_.Lock();
  Slab* const slab = std::exchange(slab_, nullptr);
  slab_lock_.Unlock();
  if (slab != nullptr) DropSlab(slab);
}

void CpuAllocator::Pool::Close() {
  closed_.store(true, std::memory_order_release);
  Trim();
  Drop();
}

CpuAllocator::CpuAllocator(DeviceId device, const Options& options)
    : pool_(new Pool(device, options)) {}

CpuAllocator::~CpuAllocator() { pool_->Close(); }

absl::StatusOr<Ref<Buffer>> CpuAllocator::Allocate(int64_t bytes, MemoryKind kind) {
  return pool_->Allocate(bytes);
}

absl::StatusOr<Ref<Buffer>> CpuAllocator::ImportHost(void* data, int64_t bytes,
                                                     std::function<void()> release) {
  if (bytes < 0 || (data == nullptr && bytes > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot import ", bytes, " bytes of host memory from ",
                     data == nullptr ? "a null pointer" : "an address"));
  }
  if (reinterpret_cast<uintptr_t>(data) % 8 != 0) {
    return absl::InvalidArgumentError(
        "host memory must be aligned to 8 bytes to be used without a copy; copy it instead");
  }
  // An address for an empty array, too.
  alignas(8) static std::byte nothing[8];
  auto* address = data != nullptr ? static_cast<std::byte*>(data) : nothing;
  return Ref<Buffer>(new ImportedBuffer(pool_->device(), address, bytes, std::move(release)));
}

AllocatorStats CpuAllocator::stats() const { return pool_->stats(); }
void CpuAllocator::ResetPeak() { pool_->ResetPeak(); }
void CpuAllocator::Trim() { pool_->Trim(); }

}  // namespace tandem::cpu_backend
