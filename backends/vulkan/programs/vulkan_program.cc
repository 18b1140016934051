#include "tandem/backends/vulkan/programs/vulkan_program.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/backends/vulkan/programs/pipeline_cache.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

VulkanProgram::VulkanProgram(std::shared_ptr<VulkanContext> context,
                             std::shared_ptr<PipelineCache> pipelines,
                             Ref<const BindingLayout> layout, const Shader& shader,
                             absl::Span<const uint32_t> specialization)
    : context_(std::move(context)),
      pipelines_(std::move(pipelines)),
      layout_(std::move(layout)),
      shader_(shader),
      specialization_(specialization.begin(), specialization.end()) {}

VulkanProgram::~VulkanProgram() {
  if (pipeline_ != VK_NULL_HANDLE) {
    context_->functions().DestroyPipeline(context_->device(), pipeline_, nullptr);
  }
}

absl::StatusOr<VkPipeline> VulkanProgram::CompileOrWait() const {
  while (true) {
    State state = state_.load(std::memory_order_acquire);
    switch (state) {
      case State::kReady:
        return pipeline_;
      case State::kFailed:
        return status_;
      case State::kCompiling:
        state_.wait(State::kCompiling, std::memory_order_acquire);
        break;
      case State::kNew:
        if (state_.compare_exchange_strong(state, State::kCompiling, std::memory_order_acq_rel)) {
          TANDEM_RETURN_IF_ERROR(Compile());
        }
        break;
    }
  }
}

void VulkanProgram::CompileAhead() const {
  State state = State::kNew;
  if (state_.compare_exchange_strong(state, State::kCompiling, std::memory_order_acq_rel)) {
    Compile().IgnoreError();  // whoever asks for the pipeline is told
  }
}

absl::Status VulkanProgram::Compile() const {
  absl::StatusOr<VkPipeline> pipeline = CreatePipeline();
  State next = State::kReady;
  if (pipeline.ok()) {
    pipeline_ = *pipeline;
  } else if (absl::IsResourceExhausted(pipeline.status())) {
    next = State::kNew;
  } else {
    status_ = pipeline.status();
    next = State::kFailed;
  }
  state_.store(next, std::memory_order_release);
  state_.notify_all();
  return pipeline.status();
}

absl::StatusOr<VkPipeline> VulkanProgram::CreatePipeline() const {
  const DeviceFunctions& vk = context_->functions();
  const auto check = [&](VkResult result, absl::string_view call) {
    return Annotate(
        context_->Check(result, call),
        absl::StrCat("shader ", shader_.name, "<", absl::StrJoin(specialization_, ","), ">"));
  };
  TANDEM_RETURN_IF_ERROR(context_->Alive());
  VkShaderModuleCreateInfo module_info = {};
  module_info.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  module_info.codeSize = shader_.spirv.size() * sizeof(uint32_t);
  module_info.pCode = shader_.spirv.data();
  VkShaderModule module = VK_NULL_HANDLE;
  VkResult result = context_->InjectedFault();
  if (result == VK_SUCCESS) {
    result = vk.CreateShaderModule(context_->device(), &module_info, nullptr, &module);
  }
  TANDEM_RETURN_IF_ERROR(check(result, "vkCreateShaderModule"));

  absl::InlinedVector<VkSpecializationMapEntry, 8> entries;
  for (uint32_t i = 0; i < specialization_.size(); ++i) {
    entries.push_back({i, static_cast<uint32_t>(i * sizeof(uint32_t)), sizeof(uint32_t)});
  }
  const VkSpecializationInfo specialization = {
      static_cast<uint32_t>(entries.size()), entries.data(),
      specialization_.size() * sizeof(uint32_t), specialization_.data()};
  VkComputePipelineCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &specialization;
  info.layout = layout_->pipeline_layout();
  VkPipeline pipeline = VK_NULL_HANDLE;
  result = vk.CreateComputePipelines(context_->device(),
                                     pipelines_ == nullptr ? VK_NULL_HANDLE : pipelines_->handle(),
                                     1, &info, nullptr, &pipeline);
  vk.DestroyShaderModule(context_->device(), module, nullptr);
  TANDEM_RETURN_IF_ERROR(check(result, "vkCreateComputePipelines"));
  if (pipelines_ != nullptr) pipelines_->NoteNewPipeline();
  return pipeline;
}

}  // namespace tandem::vulkan_backend
