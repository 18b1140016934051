#include "tandem/backends/vulkan/memory/allocator.h"

#include <utility>

#include "tandem/backends/vulkan/memory/memory_pool.h"

namespace tandem::vulkan_backend {

VulkanAllocator::VulkanAllocator(std::shared_ptr<VulkanContext> context, const Options& options)
    : pool_(std::make_shared<MemoryPool>(std::move(context), options)) {}

VulkanAllocator::~VulkanAllocator() { pool_->Close(); }

int64_t VulkanAllocator::alignment() const { return pool_->granule(); }

absl::StatusOr<Ref<Buffer>> VulkanAllocator::Allocate(int64_t bytes, MemoryKind kind) {
  absl::StatusOr<Ref<Buffer>> buffer = pool_->Allocate(bytes, kind);
  if (absl::IsResourceExhausted(buffer.status()) && reclaim_ != nullptr && reclaim_())
      [[unlikely]] {
    return pool_->Allocate(bytes, kind);
  }
  return buffer;
}

AllocatorStats VulkanAllocator::stats() const { return pool_->stats(); }
void VulkanAllocator::ResetPeak() { pool_->ResetPeak(); }
void VulkanAllocator::Trim() { pool_->Trim(); }

}  // namespace tandem::vulkan_backend
