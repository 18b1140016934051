// What VulkanAllocator and its buffers share: the blocks of memory, and who has which range.
//
// It ends with the last of them, and its blocks with it; see allocator.h.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_MEMORY_MEMORY_POOL_H_
#define TANDEM_BACKENDS_VULKAN_MEMORY_MEMORY_POOL_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/memory/allocator.h"
#include "tandem/backends/vulkan/memory/range_allocator.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {

// Memory from the driver with one buffer over it. All but `ranges` is constant.
struct MemoryBlock {
  MemoryBlock(int64_t size, int64_t granule) : ranges(size, granule) {}
  const uint64_t id = NextId();
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkBuffer buffer = VK_NULL_HANDLE;
  std::byte* mapped = nullptr;  // null: the host does not see it
  uint32_t type = 0;            // of memory
  bool coherent = true;
  bool dedicated = false;      // for one large range
  int64_t reserved_bytes = 0;  // taken from the driver, at least the size of `ranges`
  RangeAllocator ranges;       // under the pool's mutex

 private:
  static uint64_t NextId() {
    static std::atomic<uint64_t> next{1};
    return next.fetch_add(1, std::memory_order_relaxed);
  }
};

class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  MemoryPool(std::shared_ptr<VulkanContext> context, const VulkanAllocator::Options& options);
  ~MemoryPool();

  absl::StatusOr<Ref<Buffer>> Allocate(int64_t bytes, MemoryKind kind);
  void Free(MemoryBlock* block, uint32_t node);
  // Makes the device's writes visible to the host, and the host's to the device.
  absl::Status Invalidate(const MemoryBlock& block, int64_t offset, int64_t size) const;
  absl::Status Flush(const MemoryBlock& block, int64_t offset, int64_t size) const;

  void Trim();
  // The allocator has ended: free memory is not kept any more.
  void Close();

  AllocatorStats stats() const;
  void ResetPeak();
  int64_t granule() const { return granule_; }
  // Whether the host may reach into such a buffer where its memory is mapped. A discrete GPU whose
  // plain memory is full has device memory in the window that its bus shows: it is copied like any
  // other, for the host would read it word by word.
  bool HostSees(MemoryKind kind) const {
    return kind != MemoryKind::kDevice || context_->capabilities().unified_memory;
  }
  const VulkanContext& context() const { return *context_; }

 private:
  struct Placed {
    MemoryBlock* block;
    RangeAllocator::Range range;
  };

  absl::StatusOr<Placed> Place(int64_t bytes, MemoryKind kind)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool PlaceInBlocks(int64_t bytes, uint32_t type, Placed* placed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A new block with room for `bytes`, or an error if the driver or a limit refuses.
  absl::StatusOr<MemoryBlock*> Grow(int64_t bytes, uint32_t type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::unique_ptr<MemoryBlock>> NewBlock(int64_t bytes, uint32_t type,
                                                        bool dedicated) const;
  void DeleteBlock(MemoryBlock* block) const;
  // Deletes blocks without ranges: dedicated ones down to a total, or all. True if there were any.
  bool DeleteEmptyBlocks(int64_t dedicated_bytes_kept, bool also_shared)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // RESOURCE_EXHAUSTED if `bytes` more of this type would exceed a limit.
  absl::Status CheckLimits(int64_t bytes, uint32_t type) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t HeapBytes(uint32_t type) const;
  // The size of blocks of this type once there are many.
  int64_t FullBlockBytes(uint32_t type) const;
  uint32_t ProbeTypeBits() const;

  const std::shared_ptr<VulkanContext> context_;
  const VulkanAllocator::Options options_;
  const int64_t granule_;
  // By MemoryKind, best first.
  std::vector<uint32_t> types_[4];

  mutable LightMutex mutex_;
  std::vector<std::unique_ptr<MemoryBlock>> blocks_ ABSL_GUARDED_BY(mutex_);
  AllocatorStats stats_ ABSL_GUARDED_BY(mutex_);
  int64_t reserved_of_heap_[VK_MAX_MEMORY_HEAPS] ABSL_GUARDED_BY(mutex_) = {};
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_MEMORY_MEMORY_POOL_H_
