#include "tandem/backends/vulkan/memory/vulkan_buffer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/memory/memory_pool.h"
#include "tandem/backends/vulkan/memory/memory_types.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

VulkanBuffer::VulkanBuffer(std::shared_ptr<MemoryPool> pool, MemoryBlock* block, uint32_t node,
                           int64_t offset, DeviceId device, MemoryKind kind, int64_t size)
    : Buffer(device, kind, size),
      pool_(std::move(pool)),
      block_(block),
      node_(node),
      block_id_(block->id),
      handle_(block->buffer),
      offset_(offset),
      mapped_(block->mapped != nullptr && pool_->HostSees(kind) ? block->mapped + offset
                                                                : nullptr) {}

VulkanBuffer::~VulkanBuffer() { pool_->Free(block_, node_); }

absl::StatusOr<std::byte*> VulkanBuffer::Map() {
  if (mapped_ == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the host does not see ", MemoryKindName(kind()), " memory of ",
                     device().ToString(), "; copy through a buffer for upload or readback"));
  }
  TANDEM_RETURN_IF_ERROR(pool_->context().Alive());
  TANDEM_RETURN_IF_ERROR(pool_->Invalidate(*block_, offset_, size()));
  return mapped_;
}

absl::Status VulkanBuffer::Unmap() {
  if (mapped_ == nullptr) return absl::OkStatus();
  return pool_->Flush(*block_, offset_, size());
}

}  // namespace tandem::vulkan_backend
