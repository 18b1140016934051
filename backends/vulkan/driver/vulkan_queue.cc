#include "tandem/backends/vulkan/driver/vulkan_queue.h"

#include <cstdint>

#include "absl/container/inlined_vector.h"

namespace tandem::vulkan_backend {

VkResult SubmitToQueue(const DeviceFunctions& vk, VkQueue queue,
                       const QueueSubmission& submission) {
  absl::InlinedVector<VkSemaphore, 4> semaphores;
  absl::InlinedVector<uint64_t, 4> values;
  absl::InlinedVector<VkPipelineStageFlags, 4> stages;
  for (const SemaphoreValue& wait : submission.waits) {
    semaphores.push_back(wait.semaphore);
    values.push_back(wait.value);
    stages.push_back(VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
  }
  auto timeline =
      VkStruct<VkTimelineSemaphoreSubmitInfo>(VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
  timeline.waitSemaphoreValueCount = static_cast<uint32_t>(values.size());
  timeline.pWaitSemaphoreValues = values.data();
  timeline.signalSemaphoreValueCount = 1;
  timeline.pSignalSemaphoreValues = &submission.signal.value;
  auto info = VkStruct<VkSubmitInfo>(VK_STRUCTURE_TYPE_SUBMIT_INFO);
  info.pNext = &timeline;
  info.waitSemaphoreCount = static_cast<uint32_t>(semaphores.size());
  info.pWaitSemaphores = semaphores.data();
  info.pWaitDstStageMask = stages.data();
  info.commandBufferCount = static_cast<uint32_t>(submission.lists.size());
  info.pCommandBuffers = submission.lists.data();
  info.signalSemaphoreCount = 1;
  info.pSignalSemaphores = &submission.signal.semaphore;
  return vk.QueueSubmit(queue, 1, &info, VK_NULL_HANDLE);
}

}  // namespace tandem::vulkan_backend
