// Memory of a Vulkan device: large blocks taken from the driver, ranges of them handed out.
//
// A block is one VkDeviceMemory with one VkBuffer over all of it, 64 to 256 MiB by the size of the
// heap (the first ones of a kind are smaller). Ranges are placed by best fit and merge with their
// free neighbours at once. What is larger than half a block gets memory of its own. Freed memory is
// kept for later; it goes back to the driver when there is no room, and on Trim. Host-visible memory
// stays mapped for good.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> x, device.allocator().Allocate(4096));
//
// Buffers may live longer than the allocator and its device.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_MEMORY_ALLOCATOR_H_
#define TANDEM_BACKENDS_VULKAN_MEMORY_ALLOCATOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {

class MemoryPool;

class VulkanAllocator final : public Allocator {
 public:
  struct Options {
    int64_t memory_limit = 0;  // bytes taken from the driver; 0: what the heaps and budgets allow
    int64_t block_bytes = 0;   // 0: by the size of the heap
    // Fill new buffers that the host sees with NaN; null: never.
    std::shared_ptr<const std::atomic<bool>> poison = nullptr;
  };

  VulkanAllocator(std::shared_ptr<VulkanContext> context, const Options& options);
  ~VulkanAllocator() override;

  // Of the start of every buffer, bytes; a power of two.
  int64_t alignment() const;

  // kUnified: INVALID_ARGUMENT where no memory of the device is visible to the host.
  // RESOURCE_EXHAUSTED names what was asked for, what is in use and what limits it.
  absl::StatusOr<Ref<Buffer>> Allocate(int64_t bytes,
                                       MemoryKind kind = MemoryKind::kDevice) override;
  AllocatorStats stats() const override;
  void ResetPeak() override;
  // Gives blocks without buffers back to the driver.
  void Trim();
  // `reclaim` is called when there is no room; if it says that it may have made some, the allocation
  // is tried once more. It holds no lock of the allocator's. Set before the first allocation.
  void SetReclaim(std::function<bool()> reclaim) { reclaim_ = std::move(reclaim); }

 private:
  const std::shared_ptr<MemoryPool> pool_;
  std::function<bool()> reclaim_;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_MEMORY_ALLOCATOR_H_
