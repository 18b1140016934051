// Descriptor sets out of pools that grow and are emptied at once: for layouts whose descriptors are
// not pushed (binding_layout.h).
//
//   DescriptorAllocator descriptors(context);
//   TANDEM_ASSIGN_OR_RETURN(VkDescriptorSet set, descriptors.Allocate(layout));
//   …
//   descriptors.Reset();  // all sets end, the pools stay for the next ones
//
// Thread rules: one thread at a time. Reset only when no pending work uses the sets.
#ifndef TANDEM_BACKENDS_VULKAN_COMMANDS_DESCRIPTOR_ALLOCATOR_H_
#define TANDEM_BACKENDS_VULKAN_COMMANDS_DESCRIPTOR_ALLOCATOR_H_

#include <vulkan/vulkan.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/programs/binding_layout.h"

namespace tandem::vulkan_backend {

class DescriptorAllocator {
 public:
  explicit DescriptorAllocator(std::shared_ptr<VulkanContext> context);
  ~DescriptorAllocator();
  DescriptorAllocator(const DescriptorAllocator&) = delete;
  DescriptorAllocator& operator=(const DescriptorAllocator&) = delete;

  absl::StatusOr<VkDescriptorSet> Allocate(const BindingLayout& layout);
  void Reset();
  size_t num_pools() const { return pools_.size(); }

 private:
  absl::Status AddPool();

  const std::shared_ptr<VulkanContext> context_;
  std::vector<VkDescriptorPool> pools_;
  size_t current_ = 0;  // the pool in use; those before it are full
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_COMMANDS_DESCRIPTOR_ALLOCATOR_H_
