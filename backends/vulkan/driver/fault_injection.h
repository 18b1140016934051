// Failures on demand, so that tests reach the code that handles them.
//
//   registry.SetOption("vulkan", "fail_allocation", "3");  // the third creation from now fails
//   registry.SetOption("vulkan", "fail_allocation", "3+");  // and all after it, until the next option
//   registry.SetOption("vulkan", "lose_device", "1");      // every open device is lost
//
// A creation is whatever takes memory of the driver: memory, buffers, pipelines, command buffers,
// pools, descriptor sets, semaphores; also vkEndCommandBuffer and vkQueueSubmit. It fails with VK_ERROR_OUT_OF_DEVICE_MEMORY. Who creates asks
// first:
//
//   VkResult result = context.InjectedFault();
//   if (result == VK_SUCCESS) result = vk.CreateCommandPool(...);
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_FAULT_INJECTION_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_FAULT_INJECTION_H_

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>

namespace tandem::vulkan_backend {

class FaultInjector {
 public:
  // The k-th creation from now fails, and with `lasting` all after it; 0: none does.
  void FailAllocation(int64_t k, bool lasting = false) {
    lasting_.store(lasting, std::memory_order_relaxed);
    countdown_.store(k, std::memory_order_relaxed);
  }
  // Creations that have to pass before the failure; 0: it has happened, or none was asked for.
  int64_t pending() const { return countdown_.load(std::memory_order_relaxed); }
  // Devices are lost as long as this is set, and those that have noticed stay so.
  void LoseDevices(bool lose) { lose_.store(lose, std::memory_order_relaxed); }
  bool devices_lost() const { return lose_.load(std::memory_order_relaxed); }

  // VK_SUCCESS, or what the creation at hand is to fail with.
  VkResult Next() {
    // Almost always: one load of a variable that nobody writes.
    if (countdown_.load(std::memory_order_relaxed) <= 0) return VK_SUCCESS;
    if (countdown_.fetch_sub(1, std::memory_order_relaxed) != 1) return VK_SUCCESS;
    if (lasting_.load(std::memory_order_relaxed)) countdown_.store(1, std::memory_order_relaxed);
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  }

 private:
  std::atomic<int64_t> countdown_{0};
  std::atomic<bool> lasting_{false};
  std::atomic<bool> lose_{false};
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_FAULT_INJECTION_H_
