#include "tandem/backends/vulkan/commands/command_list.h"

#include <utility>

#include "absl/container/inlined_vector.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

VkPipelineStageFlags StagesOf(const QueueFamily& family) {
  return VK_PIPELINE_STAGE_TRANSFER_BIT |
         (family.computes ? VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT : 0);
}

VkAccessFlags WritesOf(VkPipelineStageFlags stages) {
  VkAccessFlags writes = 0;
  if (stages & VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT) writes |= VK_ACCESS_SHADER_WRITE_BIT;
  if (stages & VK_PIPELINE_STAGE_TRANSFER_BIT) writes |= VK_ACCESS_TRANSFER_WRITE_BIT;
  return writes;
}

VkAccessFlags AccessesOf(VkPipelineStageFlags stages) {
  VkAccessFlags reads = 0;
  if (stages & VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT) reads |= VK_ACCESS_SHADER_READ_BIT;
  if (stages & VK_PIPELINE_STAGE_TRANSFER_BIT) reads |= VK_ACCESS_TRANSFER_READ_BIT;
  return reads | WritesOf(stages);
}

MemoryAccess AccessOf(const VkDescriptorBufferInfo& range, bool read, bool write) {
  return {reinterpret_cast<uint64_t>(range.buffer), range.offset, range.offset + range.range, read,
          write};
}

}  // namespace

absl::StatusOr<Ref<CommandList>> CommandList::Create(std::shared_ptr<VulkanContext> context,
                                                     const QueueFamily& family) {
  Ref<CommandList> list(new CommandList(std::move(context), family));
  TANDEM_RETURN_IF_ERROR(list->Init());
  return list;
}

CommandList::CommandList(std::shared_ptr<VulkanContext> context, const QueueFamily& family)
    : context_(std::move(context)),
      vk_(context_->functions()),
      family_(family),
      work_stages_(StagesOf(family)),
      descriptors_(context_) {}

CommandList::~CommandList() {
  // The pool's command buffer ends with it.
  if (pool_ != VK_NULL_HANDLE) vk_.DestroyCommandPool(context_->device(), pool_, nullptr);
}

absl::Status CommandList::Init() {
  VkCommandPoolCreateInfo pool_info = {};
  pool_info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool_info.queueFamilyIndex = family_.index;
  VkResult result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result = vk_.CreateCommandPool(context_->device(), &pool_info, nullptr, &pool_);
  }
  TANDEM_RETURN_IF_ERROR(context_->Check(result, "vkCreateCommandPool"));
  VkCommandBufferAllocateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = pool_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result = vk_.AllocateCommandBuffers(context_->device(), &info, &commands_);
  }
  return context_->Check(result, "vkAllocateCommandBuffers");
}

absl::Status CommandList::Begin(Use use) {
  TANDEM_RETURN_IF_ERROR(
      context_->Check(vk_.ResetCommandPool(context_->device(), pool_, 0), "vkResetCommandPool"));
  descriptors_.Reset();
  hazards_.Clear();
  stages_ = 0;
  pipeline_ = VK_NULL_HANDLE;
  num_commands_ = 0;
  num_barriers_ = 0;
  VkCommandBufferBeginInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  info.flags = use == Use::kOnce ? VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT
                                 : VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT;
  TANDEM_RETURN_IF_ERROR(
      context_->Check(vk_.BeginCommandBuffer(commands_, &info), "vkBeginCommandBuffer"));
  // After whatever the queue got before, by whatever stream.
  Barrier(work_stages_, WritesOf(work_stages_), work_stages_, AccessesOf(work_stages_));
  return absl::OkStatus();
}

absl::Status CommandList::Dispatch(const VulkanProgram& program, VkPipeline pipeline,
                                   absl::Span<const VkDescriptorBufferInfo> bindings,
                                   uint64_t reads, uint64_t writes,
                                   absl::Span<const std::byte> constants,
                                   const std::array<uint32_t, 3>& grid) {
  const BindingLayout& layout = program.layout();
  // First what can fail, so that a failure leaves no trace.
  VkDescriptorSet set = VK_NULL_HANDLE;
  if (!bindings.empty() && !layout.pushes()) {
    TANDEM_ASSIGN_OR_RETURN(set, descriptors_.Allocate(layout));
    vk_.UpdateDescriptorSetWithTemplate(context_->device(), set, layout.update_template(),
                                        bindings.data());
  }
  absl::InlinedVector<MemoryAccess, 16> accesses;
  for (size_t i = 0; i < bindings.size(); ++i) {
    const bool read = (reads >> i) & 1;
    const bool write = (writes >> i) & 1;
    if (read || write) accesses.push_back(AccessOf(bindings[i], read, write));
  }
  Order(accesses, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT);

  if (pipeline != pipeline_) {
    vk_.CmdBindPipeline(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    pipeline_ = pipeline;
  }
  if (set != VK_NULL_HANDLE) {
    vk_.CmdBindDescriptorSets(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, layout.pipeline_layout(),
                              0, 1, &set, 0, nullptr);
  } else if (!bindings.empty()) {
    vk_.CmdPushDescriptorSetWithTemplateKHR(commands_, layout.update_template(),
                                            layout.pipeline_layout(), 0, bindings.data());
  }
  if (!constants.empty()) {
    vk_.CmdPushConstants(commands_, layout.pipeline_layout(), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                         static_cast<uint32_t>(constants.size()), constants.data());
  }
  vk_.CmdDispatch(commands_, grid[0], grid[1], grid[2]);
  ++num_commands_;
  return absl::OkStatus();
}

void CommandList::Copy(const VkDescriptorBufferInfo& from, const VkDescriptorBufferInfo& to) {
  Order({AccessOf(from, true, false), AccessOf(to, false, true)}, VK_PIPELINE_STAGE_TRANSFER_BIT);
  const VkBufferCopy region = {from.offset, to.offset, from.range};
  vk_.CmdCopyBuffer(commands_, from.buffer, to.buffer, 1, &region);
  ++num_commands_;
}

void CommandList::Fill(const VkDescriptorBufferInfo& to, uint32_t pattern) {
  Order({AccessOf(to, false, true)}, VK_PIPELINE_STAGE_TRANSFER_BIT);
  vk_.CmdFillBuffer(commands_, to.buffer, to.offset, to.range, pattern);
  ++num_commands_;
}

absl::Status CommandList::End() {
  Barrier(work_stages_, WritesOf(work_stages_), VK_PIPELINE_STAGE_HOST_BIT,
          VK_ACCESS_HOST_READ_BIT);
  VkResult result = context_->InjectedFault();
  if (result == VK_SUCCESS) result = vk_.EndCommandBuffer(commands_);
  return context_->Check(result, "vkEndCommandBuffer");
}

void CommandList::Order(absl::Span<const MemoryAccess> accesses, VkPipelineStageFlags stage) {
  if (hazards_.Conflicts(accesses)) {
    // What comes later may be anything, and need not ask again about what was before.
    Barrier(stages_, WritesOf(stages_), work_stages_, AccessesOf(work_stages_));
    ++num_barriers_;
    hazards_.Clear();
    stages_ = 0;
  }
  hazards_.Add(accesses);
  stages_ |= stage;
}

void CommandList::Barrier(VkPipelineStageFlags from_stages, VkAccessFlags from,
                          VkPipelineStageFlags to_stages, VkAccessFlags to) {
  VkMemoryBarrier barrier = {};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = from;
  barrier.dstAccessMask = to;
  vk_.CmdPipelineBarrier(commands_, from_stages, to_stages, 0, 1, &barrier, 0, nullptr, 0, nullptr);
}

}  // namespace tandem::vulkan_backend
