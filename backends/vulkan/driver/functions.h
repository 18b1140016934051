// Vulkan's functions as tables, filled at run time: no program links libvulkan.
//
//   const DeviceFunctions& vk = context.functions();
//   vk.CmdDispatch(command_buffer, x, y, z);
//
// Members are named as in the specification, without the prefix vk. To use another function, add its
// name to a list here. Those that belong to an optional extension are null without it.
//
// Thread rules: plain data, constant after loading; who may call what when, the specification says.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_FUNCTIONS_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_FUNCTIONS_H_

#include <vulkan/vulkan.h>

// Before there is an instance.
#define TANDEM_VULKAN_GLOBAL_FUNCTIONS(X) \
  X(CreateInstance)                       \
  X(EnumerateInstanceExtensionProperties) \
  X(EnumerateInstanceLayerProperties)     \
  X(EnumerateInstanceVersion)

#define TANDEM_VULKAN_INSTANCE_FUNCTIONS(X) \
  X(CreateDevice)                           \
  X(DestroyInstance)                        \
  X(EnumerateDeviceExtensionProperties)     \
  X(EnumeratePhysicalDevices)               \
  X(GetDeviceProcAddr)                      \
  X(GetPhysicalDeviceFeatures2)             \
  X(GetPhysicalDeviceMemoryProperties2)     \
  X(GetPhysicalDeviceProperties2)           \
  X(GetPhysicalDeviceQueueFamilyProperties)

#define TANDEM_VULKAN_OPTIONAL_INSTANCE_FUNCTIONS(X) \
  X(CreateDebugUtilsMessengerEXT)                    \
  X(DestroyDebugUtilsMessengerEXT)                   \
  X(GetPhysicalDeviceCooperativeMatrixPropertiesNV)

#define TANDEM_VULKAN_DEVICE_FUNCTIONS(X) \
  X(AllocateCommandBuffers)               \
  X(AllocateDescriptorSets)               \
  X(AllocateMemory)                       \
  X(BeginCommandBuffer)                   \
  X(BindBufferMemory)                     \
  X(CmdBindDescriptorSets)                \
  X(CmdBindPipeline)                      \
  X(CmdCopyBuffer)                        \
  X(CmdDispatch)                          \
  X(CmdFillBuffer)                        \
  X(CmdPipelineBarrier)                   \
  X(CmdPushConstants)                     \
  X(CmdResetQueryPool)                    \
  X(CmdUpdateBuffer)                      \
  X(CmdWriteTimestamp)                    \
  X(CreateBuffer)                         \
  X(CreateCommandPool)                    \
  X(CreateComputePipelines)               \
  X(CreateDescriptorPool)                 \
  X(CreateDescriptorSetLayout)            \
  X(CreateDescriptorUpdateTemplate)       \
  X(CreatePipelineCache)                  \
  X(CreatePipelineLayout)                 \
  X(CreateQueryPool)                      \
  X(CreateSemaphore)                      \
  X(CreateShaderModule)                   \
  X(DestroyBuffer)                        \
  X(DestroyCommandPool)                   \
  X(DestroyDescriptorPool)                \
  X(DestroyDescriptorSetLayout)           \
  X(DestroyDescriptorUpdateTemplate)      \
  X(DestroyDevice)                        \
  X(DestroyPipeline)                      \
  X(DestroyPipelineCache)                 \
  X(DestroyPipelineLayout)                \
  X(DestroyQueryPool)                     \
  X(DestroySemaphore)                     \
  X(DestroyShaderModule)                  \
  X(DeviceWaitIdle)                       \
  X(EndCommandBuffer)                     \
  X(FlushMappedMemoryRanges)              \
  X(FreeCommandBuffers)                   \
  X(FreeDescriptorSets)                   \
  X(FreeMemory)                           \
  X(GetBufferMemoryRequirements)          \
  X(GetDeviceQueue)                       \
  X(GetPipelineCacheData)                 \
  X(GetQueryPoolResults)                  \
  X(GetSemaphoreCounterValue)             \
  X(InvalidateMappedMemoryRanges)         \
  X(MapMemory)                            \
  X(QueueSubmit)                          \
  X(QueueWaitIdle)                        \
  X(ResetCommandBuffer)                   \
  X(ResetCommandPool)                     \
  X(ResetDescriptorPool)                  \
  X(SignalSemaphore)                      \
  X(TrimCommandPool)                      \
  X(UnmapMemory)                          \
  X(UpdateDescriptorSetWithTemplate)      \
  X(UpdateDescriptorSets)                 \
  X(WaitSemaphores)

#define TANDEM_VULKAN_OPTIONAL_DEVICE_FUNCTIONS(X) \
  X(CmdPushDescriptorSetKHR)                       \
  X(CmdPushDescriptorSetWithTemplateKHR)           \
  X(SetDebugUtilsObjectNameEXT)

namespace tandem::vulkan_backend {

// A structure of the given type, its other members zero.
template <typename T>
T VkStruct(VkStructureType type) {
  T value = {};
  value.sType = type;
  return value;
}

#define TANDEM_VULKAN_MEMBER(name) PFN_vk##name name = nullptr;

struct GlobalFunctions {
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr = nullptr;
  TANDEM_VULKAN_GLOBAL_FUNCTIONS(TANDEM_VULKAN_MEMBER)
};

struct InstanceFunctions {
  TANDEM_VULKAN_INSTANCE_FUNCTIONS(TANDEM_VULKAN_MEMBER)
  TANDEM_VULKAN_OPTIONAL_INSTANCE_FUNCTIONS(TANDEM_VULKAN_MEMBER)
};

struct DeviceFunctions {
  TANDEM_VULKAN_DEVICE_FUNCTIONS(TANDEM_VULKAN_MEMBER)
  TANDEM_VULKAN_OPTIONAL_DEVICE_FUNCTIONS(TANDEM_VULKAN_MEMBER)
};

#undef TANDEM_VULKAN_MEMBER

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_FUNCTIONS_H_
