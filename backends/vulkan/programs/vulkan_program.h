// A compute pipeline: a shader with values for its specialization constants.
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<const VulkanProgram> program,
//                           device.programs().Get(*ScaleShader(DType::kF32), {256}));
//   recorder.Record({.program = program.get(), …});
//
// A program is there at once; its pipeline is compiled on a thread of the cache's, or by whoever
// needs it first. So a graph that prepares many kernels and records them afterwards compiles in
// parallel, and an eager call does not wait for another thread.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_PROGRAMS_VULKAN_PROGRAM_H_
#define TANDEM_BACKENDS_VULKAN_PROGRAMS_VULKAN_PROGRAM_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/programs/binding_layout.h"
#include "tandem/backends/vulkan/shaders/shader.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/command.h"

namespace tandem::vulkan_backend {

class PipelineCache;

// Values for the constants 0, 1, …
using Specialization = absl::InlinedVector<uint32_t, 8>;

class VulkanProgram final : public Program {
 public:
  // `shader` lives as long as the process; `pipelines` may be null.
  VulkanProgram(std::shared_ptr<VulkanContext> context, std::shared_ptr<PipelineCache> pipelines,
                Ref<const BindingLayout> layout, const Shader& shader,
                absl::Span<const uint32_t> specialization);
  ~VulkanProgram() override;

  const char* name() const override { return shader_.name; }
  const Shader& shader() const { return shader_; }
  const BindingLayout& layout() const { return *layout_; }
  const VulkanContext& context() const { return *context_; }

  // The pipeline: compiles it, or waits for the thread that does. An error names the shader; only
  // that there was no memory is forgotten, so that a later call tries again.
  absl::StatusOr<VkPipeline> Pipeline() const {
    if (state_.load(std::memory_order_acquire) == State::kReady) [[likely]]
      return pipeline_;
    return CompileOrWait();
  }
  // Compiles, unless somebody does already or has done.
  void CompileAhead() const;

 private:
  enum class State : uint8_t { kNew, kCompiling, kReady, kFailed };

  absl::StatusOr<VkPipeline> CompileOrWait() const;
  // By the thread that has set kCompiling.
  absl::Status Compile() const;
  absl::StatusOr<VkPipeline> CreatePipeline() const;

  const std::shared_ptr<VulkanContext> context_;
  const std::shared_ptr<PipelineCache> pipelines_;
  const Ref<const BindingLayout> layout_;
  const Shader& shader_;
  const Specialization specialization_;

  // What follows is written once, before the state says so.
  mutable std::atomic<State> state_{State::kNew};
  mutable VkPipeline pipeline_ = VK_NULL_HANDLE;  // of kReady
  mutable absl::Status status_;                   // of kFailed
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_PROGRAMS_VULKAN_PROGRAM_H_
