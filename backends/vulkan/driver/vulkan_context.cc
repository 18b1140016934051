#include "tandem/backends/vulkan/driver/vulkan_context.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/driver/vk_status.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {

DeviceType VulkanDeviceType() {
  static const DeviceType type = DeviceType::Intern("vulkan");
  return type;
}

absl::StatusOr<std::shared_ptr<VulkanContext>> VulkanContext::Create(
    DeviceId id, std::shared_ptr<Instance> instance, const PhysicalDevice& physical,
    const Capabilities& capabilities, std::shared_ptr<FaultInjector> faults) {
  // Not make_shared: the constructor is private.
  std::shared_ptr<VulkanContext> context(
      new VulkanContext(id, std::move(instance), physical, capabilities, std::move(faults)));
  VkResult result = context->InjectedFault();
  if (result == VK_SUCCESS) {
    result = CreateLogicalDevice(*context->instance_, physical, capabilities, &context->device_,
                                 &context->functions_);
  }
  TANDEM_RETURN_IF_ERROR(
      VkStatus(result, absl::StrCat("vkCreateDevice of ", id.ToString(), ", ", physical.name)));
  context->OpenQueues();
  return context;
}

void VulkanContext::OpenQueues() {
  const QueuePlan& plan = physical_.queues;
  for (const QueuePlan::Request& request : plan.Requests()) families_.push_back(request.family);
  const auto handle = [&](const QueueSlot& slot) {
    VkQueue queue = VK_NULL_HANDLE;
    functions_.GetDeviceQueue(device_, slot.family.index, slot.index, &queue);
    return queue;
  };
  if (plan.shuffled) {
    shuffler_ = std::make_unique<QueueShuffler>(functions_, device_, handle(plan.compute.front()),
                                                static_cast<int>(plan.compute.size()) + 1,
                                                /*seed=*/1);
  }
  const auto open = [&](const QueueSlot& slot, int index) {
    VulkanQueue::SubmitFunction submit;
    if (shuffler_ != nullptr) {
      submit = [this, index](const QueueSubmission& work) {
        return shuffler_->Submit(index, work);
      };
    } else {
      submit = [this, queue = handle(slot)](const QueueSubmission& work) {
        return SubmitToQueue(functions_, queue, work);
      };
    }
    return std::make_unique<VulkanQueue>(slot.family, std::move(submit));
  };
  int index = 0;
  for (const QueueSlot& slot : plan.compute) compute_queues_.push_back(open(slot, index++));
  if (plan.transfer.has_value()) transfer_queue_ = open(*plan.transfer, index);
}

VulkanQueue& VulkanContext::NextQueue() {
  const uint32_t next = next_queue_.fetch_add(1, std::memory_order_relaxed);
  return *compute_queues_[next % compute_queues_.size()];
}

VulkanContext::VulkanContext(DeviceId id, std::shared_ptr<Instance> instance,
                             const PhysicalDevice& physical, const Capabilities& capabilities,
                             std::shared_ptr<FaultInjector> faults)
    : id_(id),
      instance_(std::move(instance)),
      physical_(physical),
      capabilities_(capabilities),
      faults_(std::move(faults)) {}

VulkanContext::~VulkanContext() {
  if (device_ == VK_NULL_HANDLE) return;
  shuffler_ = nullptr;  // submits what it has
  // A result does not matter any more: there is nobody left who waits for one.
  functions_.DeviceWaitIdle(device_);
  for (VkSemaphore semaphore : semaphores_) {
    functions_.DestroySemaphore(device_, semaphore, nullptr);
  }
  functions_.DestroyDevice(device_, nullptr);
}

VkSemaphore VulkanContext::TakeSemaphore() {
  absl::MutexLock lock(&semaphores_mutex_);
  if (semaphores_.empty()) return VK_NULL_HANDLE;
  const VkSemaphore semaphore = semaphores_.back();
  semaphores_.pop_back();
  return semaphore;
}

void VulkanContext::GiveSemaphore(VkSemaphore semaphore) {
  absl::MutexLock lock(&semaphores_mutex_);
  semaphores_.push_back(semaphore);
}

absl::Status VulkanContext::Alive() const {
  if (faults_->devices_lost()) lost_.store(true, std::memory_order_relaxed);
  if (!lost_.load(std::memory_order_relaxed)) [[likely]]
    return absl::OkStatus();
  return Check(VK_ERROR_DEVICE_LOST, "earlier work");
}

absl::Status VulkanContext::Check(VkResult result, absl::string_view call) const {
  if (result == VK_SUCCESS) [[likely]]
    return absl::OkStatus();
  if (result == VK_ERROR_DEVICE_LOST) lost_.store(true, std::memory_order_relaxed);
  return VkStatus(result, absl::StrCat(id_.ToString(), ": ", call));
}

}  // namespace tandem::vulkan_backend
