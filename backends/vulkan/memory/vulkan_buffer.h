// A buffer in a Vulkan device's memory: a range of a VkBuffer.
//
//   const auto& buffer = static_cast<const VulkanBuffer&>(*view.buffer);
//   VkDescriptorBufferInfo info = {buffer.handle(),
//                                  static_cast<VkDeviceSize>(buffer.offset() + view.offset), …};
//
// The range starts at a multiple of DeviceInfo.alignment and belongs to the buffer up to the next
// such multiple behind its end, so shaders may read and write whole 32-bit words there.
//
// Thread rules: constant but for its bytes. Map and Unmap from any thread; mapping costs nothing,
// for visible memory stays mapped, and several threads may have mapped one buffer.
#ifndef TANDEM_BACKENDS_VULKAN_MEMORY_VULKAN_BUFFER_H_
#define TANDEM_BACKENDS_VULKAN_MEMORY_VULKAN_BUFFER_H_

#include <vulkan/vulkan.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {

class MemoryPool;
struct MemoryBlock;

class VulkanBuffer final : public Buffer {
 public:
  // Made by VulkanAllocator: the range `node` of `block`, which goes back to `pool` at the end.
  VulkanBuffer(std::shared_ptr<MemoryPool> pool, MemoryBlock* block, uint32_t node, int64_t offset,
               DeviceId device, MemoryKind kind, int64_t size);
  ~VulkanBuffer() override;

  VkBuffer handle() const { return handle_; }
  // Of the VkBuffer. Unlike a handle, it never comes again once the VkBuffer is gone.
  uint64_t block_id() const { return block_id_; }
  int64_t offset() const { return offset_; }  // bytes, of the first byte in handle()

  bool host_visible() const override { return mapped_ != nullptr; }
  absl::StatusOr<std::byte*> Map() override;
  absl::Status Unmap() override;

 private:
  const std::shared_ptr<MemoryPool> pool_;
  MemoryBlock* const block_;
  const uint32_t node_;
  const uint64_t block_id_;
  VkBuffer handle_;
  int64_t offset_;
  std::byte* mapped_;  // of the first byte; null if the host does not see it
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_MEMORY_VULKAN_BUFFER_H_
