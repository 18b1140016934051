// A VkCommandBuffer with a pool of its own, and everything that goes into it: dispatches, copies and
// fills, with a barrier only where a hazard of ranges asks for one (hazards.h).
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<CommandList> list, CommandList::Create(context));
//   TANDEM_RETURN_IF_ERROR(list->Begin(CommandList::Use::kOnce));
//   TANDEM_RETURN_IF_ERROR(list->Dispatch(…));
//   TANDEM_RETURN_IF_ERROR(list->End());
//   // vkQueueSubmit of list->handle(); once that is done, list->Begin(…) again.
//
// At its start stands a full memory barrier, so whole lists run one after the other on a queue; at
// its end one that shows the host what was written. Views and programs must be checked before
// (command_checks.h), and kept alive by others until the work is done.
//
// Thread rules: one thread at a time; who else holds a reference only keeps it alive.
#ifndef TANDEM_BACKENDS_VULKAN_COMMANDS_COMMAND_LIST_H_
#define TANDEM_BACKENDS_VULKAN_COMMANDS_COMMAND_LIST_H_

#include <vulkan/vulkan.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/commands/descriptor_allocator.h"
#include "tandem/backends/vulkan/commands/hazards.h"
#include "tandem/backends/vulkan/driver/queue_plan.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/backends/vulkan/programs/vulkan_program.h"
#include "tandem/core/base/ref.h"

namespace tandem::vulkan_backend {

// Submissions of one stream that the device has not done yet: how far the host may run ahead. Enough
// that a device never waits for a host that goes on; and what pending work keeps alive, among it the
// outputs that nobody holds any more, is bounded.
inline constexpr size_t kMaxInFlight = 32;

class CommandList final : public RefCounted {
 public:
  enum class Use : uint8_t {
    kOnce,
    kMany,  // submitted again, also while it is pending
  };

  // For queues of `family`. Only Copy and Fill work on those that do not compute.
  static absl::StatusOr<Ref<CommandList>> Create(std::shared_ptr<VulkanContext> context,
                                                 const QueueFamily& family);
  ~CommandList() override;

  // Forgets what was recorded before; that must not be pending.
  absl::Status Begin(Use use);
  absl::Status Dispatch(const VulkanProgram& program, VkPipeline pipeline,
                        absl::Span<const VkDescriptorBufferInfo> bindings, uint64_t reads,
                        uint64_t writes, absl::Span<const std::byte> constants,
                        const std::array<uint32_t, 3>& grid);
  // Of ranges of one size, which is not zero, and which do not overlap.
  void Copy(const VkDescriptorBufferInfo& from, const VkDescriptorBufferInfo& to);
  // Of a range of whole words, which is not empty.
  void Fill(const VkDescriptorBufferInfo& to, uint32_t pattern);
  absl::Status End();

  VkCommandBuffer handle() const { return commands_; }
  // Since Begin. Barriers at the start and the end are not counted.
  int num_commands() const { return num_commands_; }
  int num_barriers() const { return num_barriers_; }

 private:
  CommandList(std::shared_ptr<VulkanContext> context, const QueueFamily& family);
  absl::Status Init();
  // Records a barrier if the accesses need one, and remembers them.
  void Order(absl::Span<const MemoryAccess> accesses, VkPipelineStageFlags stage);
  void Barrier(VkPipelineStageFlags from_stages, VkAccessFlags from, VkPipelineStageFlags to_stages,
               VkAccessFlags to);

  const std::shared_ptr<VulkanContext> context_;
  const DeviceFunctions& vk_;
  const QueueFamily family_;
  const VkPipelineStageFlags work_stages_;  // that the family has
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkCommandBuffer commands_ = VK_NULL_HANDLE;
  DescriptorAllocator descriptors_;
  HazardTracker hazards_;
  VkPipelineStageFlags stages_ = 0;       // of the commands since the last barrier
  VkPipeline pipeline_ = VK_NULL_HANDLE;  // bound
  int num_commands_ = 0;
  int num_barriers_ = 0;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_COMMANDS_COMMAND_LIST_H_
