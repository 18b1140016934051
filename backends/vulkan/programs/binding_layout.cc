#include "tandem/backends/vulkan/programs/binding_layout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

absl::StatusOr<Ref<const BindingLayout>> BindingLayout::Create(
    std::shared_ptr<VulkanContext> context, int num_bindings) {
  const Capabilities& capabilities = context->capabilities();
  const uint32_t limit = capabilities.max_storage_buffers;
  if (num_bindings < 0 || num_bindings > kMaxBindings ||
      static_cast<uint32_t>(num_bindings) > limit) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a shader with ", num_bindings, " storage buffers; ", context->physical().name, " takes ",
        std::min<uint32_t>(limit, kMaxBindings), ". Split the work over several dispatches"));
  }
  const bool pushes = capabilities.push_descriptors &&
                      static_cast<uint32_t>(num_bindings) <= capabilities.max_push_descriptors;
  Ref<BindingLayout> layout(new BindingLayout(std::move(context), num_bindings, pushes));
  TANDEM_RETURN_IF_ERROR(layout->Init());
  return Ref<const BindingLayout>(std::move(layout));
}

BindingLayout::BindingLayout(std::shared_ptr<VulkanContext> context, int num_bindings, bool pushes)
    : context_(std::move(context)), num_bindings_(num_bindings), pushes_(pushes) {}

BindingLayout::~BindingLayout() {
  const DeviceFunctions& vk = context_->functions();
  vk.DestroyDescriptorUpdateTemplate(context_->device(), update_template_, nullptr);
  vk.DestroyPipelineLayout(context_->device(), pipeline_layout_, nullptr);
  vk.DestroyDescriptorSetLayout(context_->device(), set_layout_, nullptr);
}

absl::Status BindingLayout::Init() {
  const DeviceFunctions& vk = context_->functions();
  VkDescriptorSetLayoutBinding bindings[kMaxBindings];
  for (int i = 0; i < num_bindings_; ++i) {
    bindings[i] = {static_cast<uint32_t>(i), VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
                   VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
  }
  VkDescriptorSetLayoutCreateInfo set_info = {};
  set_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set_info.flags = pushes_ ? VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR : 0;
  set_info.bindingCount = static_cast<uint32_t>(num_bindings_);
  set_info.pBindings = bindings;
  VkResult result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result = vk.CreateDescriptorSetLayout(context_->device(), &set_info, nullptr, &set_layout_);
  }
  TANDEM_RETURN_IF_ERROR(context_->Check(result, "vkCreateDescriptorSetLayout"));

  const VkPushConstantRange constants = {VK_SHADER_STAGE_COMPUTE_BIT, 0, kMaxConstantsBytes};
  VkPipelineLayoutCreateInfo layout_info = {};
  layout_info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  layout_info.setLayoutCount = 1;
  layout_info.pSetLayouts = &set_layout_;
  layout_info.pushConstantRangeCount = 1;
  layout_info.pPushConstantRanges = &constants;
  TANDEM_RETURN_IF_ERROR(context_->Check(
      vk.CreatePipelineLayout(context_->device(), &layout_info, nullptr, &pipeline_layout_),
      "vkCreatePipelineLayout"));
  if (num_bindings_ == 0) return absl::OkStatus();

  VkDescriptorUpdateTemplateEntry entries[kMaxBindings];
  for (int i = 0; i < num_bindings_; ++i) {
    entries[i] = {};
    entries[i].dstBinding = static_cast<uint32_t>(i);
    entries[i].descriptorCount = 1;
    entries[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    entries[i].offset = static_cast<size_t>(i) * sizeof(VkDescriptorBufferInfo);
  }
  VkDescriptorUpdateTemplateCreateInfo template_info = {};
  template_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO;
  template_info.descriptorUpdateEntryCount = static_cast<uint32_t>(num_bindings_);
  template_info.pDescriptorUpdateEntries = entries;
  template_info.templateType = pushes_ ? VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_PUSH_DESCRIPTORS_KHR
                                       : VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET;
  template_info.descriptorSetLayout = set_layout_;
  template_info.pipelineBindPoint = VK_PIPELINE_BIND_POINT_COMPUTE;
  template_info.pipelineLayout = pipeline_layout_;
  template_info.set = 0;
  return context_->Check(vk.CreateDescriptorUpdateTemplate(context_->device(), &template_info,
                                                           nullptr, &update_template_),
                         "vkCreateDescriptorUpdateTemplate");
}

}  // namespace tandem::vulkan_backend
