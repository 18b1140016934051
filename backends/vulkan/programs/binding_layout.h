// The Vulkan objects that depend on nothing but the number of storage buffers of a shader: the
// layout of descriptor set 0, the pipeline layout, and the template by which descriptors are
// written. All programs of a device with as many bindings share them.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<const BindingLayout> layout, BindingLayout::Create(context, 2));
//
// Every pipeline layout has a push constant range of 128 bytes, which every device has room for.
// Descriptors are pushed (VK_KHR_push_descriptor) where the device can push that many, and otherwise
// written to sets of a pool.
//
// Thread rules: immutable.
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_BINDING_LAYOUT_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_BINDING_LAYOUT_H_

#include <vulkan/vulkan.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/core/base/ref.h"

namespace tandem::vulkan_backend {

// Of push constants, bytes: what Vulkan guarantees.
inline constexpr uint32_t kMaxConstantsBytes = 128;
// Of bindings: one bit each in the masks of a Dispatch.
inline constexpr int kMaxBindings = 64;

class BindingLayout : public RefCounted {
 public:
  // INVALID_ARGUMENT if the device has not that many storage buffers in a stage.
  static absl::StatusOr<Ref<const BindingLayout>> Create(std::shared_ptr<VulkanContext> context,
                                                         int num_bindings);
  ~BindingLayout() override;

  int num_bindings() const { return num_bindings_; }
  // Whether descriptors are pushed, and update_template() is for vkCmdPushDescriptorSetWithTemplate.
  bool pushes() const { return pushes_; }
  VkDescriptorSetLayout set_layout() const { return set_layout_; }
  VkPipelineLayout pipeline_layout() const { return pipeline_layout_; }
  // Reads num_bindings() times a VkDescriptorBufferInfo. Null without bindings.
  VkDescriptorUpdateTemplate update_template() const { return update_template_; }

 private:
  BindingLayout(std::shared_ptr<VulkanContext> context, int num_bindings, bool pushes);
  absl::Status Init();

  const std::shared_ptr<VulkanContext> context_;
  const int num_bindings_;
  const bool pushes_;
  VkDescriptorSetLayout set_layout_ = VK_NULL_HANDLE;
  VkPipelineLayout pipeline_layout_ = VK_NULL_HANDLE;
  VkDescriptorUpdateTemplate update_template_ = VK_NULL_HANDLE;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_BINDING_LAYOUT_H_
