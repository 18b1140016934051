// The devices that Vulkan's drivers offer, and what each of them can do.
//
//   TANDEM_ASSIGN_OR_RETURN(std::vector<PhysicalDevice> devices, ListPhysicalDevices(*instance));
//   devices[0].name;                  // "NVIDIA H100"
//   devices[0].capabilities.float64;
//
// Thread rules: plain data.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_PHYSICAL_DEVICE_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_PHYSICAL_DEVICE_H_

#include <vulkan/vulkan.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/driver/functions.h"
#include "tandem/backends/vulkan/driver/instance.h"
#include "tandem/backends/vulkan/driver/queue_plan.h"

namespace tandem::vulkan_backend {

struct PhysicalDevice {
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  QueuePlan queues;  // to be opened

  // Identity; the pipeline cache's files are keyed by it.
  std::string name;    // as the driver tells it
  std::string driver;  // "llvmpipe, Mesa 22.3.6 (LLVM 15.0.6)"
  VkPhysicalDeviceType type = VK_PHYSICAL_DEVICE_TYPE_OTHER;
  uint32_t api_version = 0;
  uint32_t driver_version = 0;
  uint32_t vendor_id = 0;
  uint32_t device_id = 0;
  uint8_t pipeline_cache_uuid[VK_UUID_SIZE] = {};

  Capabilities capabilities;
  VkPhysicalDeviceMemoryProperties memory = {};
  bool memory_budget = false;            // VK_EXT_memory_budget
  bool memory_model = false;             // vulkanMemoryModel and its device scope
  bool subgroup_extended_types = false;  // subgroup operations on 64, 16 and 8 bits, too
  bool subgroup_broadcast_dynamic_id = false;
  bool portability_subset = false;         // must be enabled where there is one
  int64_t max_allocation_bytes = 1 << 30;  // of one vkAllocateMemory
  int64_t non_coherent_atom_bytes = 256;   // alignment of flushed ranges
  uint32_t max_memory_allocations = 4096;
};

// "discrete GPU", "CPU", ...
absl::string_view PhysicalDeviceTypeName(VkPhysicalDeviceType type);

// All that can be used: Vulkan 1.2 and a compute queue. The order decides who is vulkan:0: discrete
// GPUs, integrated ones, virtual ones, others, software drivers; as the loader lists them otherwise.
// UNAVAILABLE if there is none, with the reason for each that was refused.
absl::StatusOr<std::vector<PhysicalDevice>> ListPhysicalDevices(const Instance& instance);

// A VkDevice with the queues of `physical.queues` and the features that `capabilities` has.
// On success fills `functions`.
VkResult CreateLogicalDevice(const Instance& instance, const PhysicalDevice& physical,
                             const Capabilities& capabilities, VkDevice* device,
                             DeviceFunctions* functions);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_PHYSICAL_DEVICE_H_
