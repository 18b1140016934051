#include "tandem/backends/vulkan/commands/descriptor_allocator.h"

#include <utility>

#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr uint32_t kSetsPerPool = 128;
// Enough for any one set; most kernels have three or four buffers.
constexpr uint32_t kBuffersPerPool = 4 * kSetsPerPool;
static_assert(kBuffersPerPool >= kMaxBindings);

}  // namespace

DescriptorAllocator::DescriptorAllocator(std::shared_ptr<VulkanContext> context)
    : context_(std::move(context)) {}

DescriptorAllocator::~DescriptorAllocator() {
  for (VkDescriptorPool pool : pools_) {
    context_->functions().DestroyDescriptorPool(context_->device(), pool, nullptr);
  }
}

absl::StatusOr<VkDescriptorSet> DescriptorAllocator::Allocate(const BindingLayout& layout) {
  const VkDescriptorSetLayout set_layout = layout.set_layout();
  while (true) {
    const bool fresh = current_ == pools_.size();
    if (fresh) TANDEM_RETURN_IF_ERROR(AddPool());
    VkDescriptorSetAllocateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    info.descriptorPool = pools_[current_];
    info.descriptorSetCount = 1;
    info.pSetLayouts = &set_layout;
    VkDescriptorSet set = VK_NULL_HANDLE;
    VkResult result = context_->InjectedFault();
    if (result == VK_SUCCESS) {
      result = context_->functions().AllocateDescriptorSets(context_->device(), &info, &set);
    }
    if (result == VK_SUCCESS) return set;
    const bool full = result == VK_ERROR_OUT_OF_POOL_MEMORY || result == VK_ERROR_FRAGMENTED_POOL;
    if (!full || fresh) return context_->Check(result, "vkAllocateDescriptorSets");
    ++current_;
  }
}

void DescriptorAllocator::Reset() {
  for (VkDescriptorPool pool : pools_) {
    context_->functions().ResetDescriptorPool(context_->device(), pool, 0);
  }
  current_ = 0;
}

absl::Status DescriptorAllocator::AddPool() {
  const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, kBuffersPerPool};
  VkDescriptorPoolCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  info.maxSets = kSetsPerPool;
  info.poolSizeCount = 1;
  info.pPoolSizes = &size;
  VkDescriptorPool pool = VK_NULL_HANDLE;
  VkResult result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result = context_->functions().CreateDescriptorPool(context_->device(), &info, nullptr, &pool);
  }
  TANDEM_RETURN_IF_ERROR(context_->Check(result, "vkCreateDescriptorPool"));
  pools_.push_back(pool);
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
