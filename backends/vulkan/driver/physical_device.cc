#include "tandem/backends/vulkan/driver/physical_device.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/backends/vulkan/driver/loader.h"
#include "tandem/backends/vulkan/driver/vk_status.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr char kPortabilitySubset[] = "VK_KHR_portability_subset";

// Feature structures, linked. Filled by a query, or for a request.
struct Features {
  Features() {
    v1_2.pNext = &cooperative_matrix;
    v1_1.pNext = &v1_2;
    v1_0.pNext = &v1_1;
  }
  Features(const Features&) = delete;
  Features& operator=(const Features&) = delete;
  // Structures of extensions that the device lacks must not be in the chain.
  void LeaveOutCooperativeMatrix() { v1_2.pNext = nullptr; }

  VkPhysicalDeviceFeatures2 v1_0 =
      VkStruct<VkPhysicalDeviceFeatures2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2);
  VkPhysicalDeviceVulkan11Features v1_1 = VkStruct<VkPhysicalDeviceVulkan11Features>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES);
  VkPhysicalDeviceVulkan12Features v1_2 = VkStruct<VkPhysicalDeviceVulkan12Features>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES);
  VkPhysicalDeviceCooperativeMatrixFeaturesNV cooperative_matrix =
      VkStruct<VkPhysicalDeviceCooperativeMatrixFeaturesNV>(
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_NV);
};

struct Extensions {
  std::vector<VkExtensionProperties> list;
  bool Has(const char* name) const {
    return std::any_of(list.begin(), list.end(), [&](const VkExtensionProperties& extension) {
      return std::strcmp(extension.extensionName, name) == 0;
    });
  }
};

absl::StatusOr<Extensions> ListExtensions(const InstanceFunctions& vk, VkPhysicalDevice handle) {
  Extensions extensions;
  uint32_t count = 0;
  TANDEM_RETURN_IF_ERROR(
      VkStatus(vk.EnumerateDeviceExtensionProperties(handle, nullptr, &count, nullptr),
               "vkEnumerateDeviceExtensionProperties"));
  extensions.list.resize(count);
  TANDEM_RETURN_IF_ERROR(VkStatus(
      vk.EnumerateDeviceExtensionProperties(handle, nullptr, &count, extensions.list.data()),
      "vkEnumerateDeviceExtensionProperties"));
  return extensions;
}

std::optional<QueuePlan> PlanQueuesOf(const InstanceFunctions& vk, VkPhysicalDevice handle) {
  uint32_t count = 0;
  vk.GetPhysicalDeviceQueueFamilyProperties(handle, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vk.GetPhysicalDeviceQueueFamilyProperties(handle, &count, families.data());
  return PlanQueues(families);
}

// f16 times f16 into f32, 16x16x16, by a subgroup: what the kernels are written for.
bool HasCooperativeMatrix(const InstanceFunctions& vk, VkPhysicalDevice handle) {
  if (vk.GetPhysicalDeviceCooperativeMatrixPropertiesNV == nullptr) return false;
  uint32_t count = 0;
  if (vk.GetPhysicalDeviceCooperativeMatrixPropertiesNV(handle, &count, nullptr) != VK_SUCCESS) {
    return false;
  }
  std::vector<VkCooperativeMatrixPropertiesNV> list(
      count, VkStruct<VkCooperativeMatrixPropertiesNV>(
                 VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_NV));
  if (vk.GetPhysicalDeviceCooperativeMatrixPropertiesNV(handle, &count, list.data()) !=
      VK_SUCCESS) {
    return false;
  }
  return std::any_of(list.begin(), list.end(), [](const VkCooperativeMatrixPropertiesNV& p) {
    return p.MSize == 16 && p.NSize == 16 && p.KSize == 16 &&
           p.AType == VK_COMPONENT_TYPE_FLOAT16_NV && p.BType == VK_COMPONENT_TYPE_FLOAT16_NV &&
           p.CType == VK_COMPONENT_TYPE_FLOAT32_NV && p.DType == VK_COMPONENT_TYPE_FLOAT32_NV &&
           p.scope == VK_SCOPE_SUBGROUP_NV;
  });
}

void QueryFeatures(const InstanceFunctions& vk, const Extensions& extensions,
                   PhysicalDevice* device) {
  Features features;
  const bool cooperative_matrix = extensions.Has(VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME);
  if (!cooperative_matrix) features.LeaveOutCooperativeMatrix();
  vk.GetPhysicalDeviceFeatures2(device->handle, &features.v1_0);
  device->memory_model =
      features.v1_2.vulkanMemoryModel && features.v1_2.vulkanMemoryModelDeviceScope;
  device->subgroup_extended_types = features.v1_2.shaderSubgroupExtendedTypes;
  device->subgroup_broadcast_dynamic_id = features.v1_2.subgroupBroadcastDynamicId;

  Capabilities& c = device->capabilities;
  c.float64 = features.v1_0.features.shaderFloat64;
  c.int64 = features.v1_0.features.shaderInt64;
  c.storage8 = features.v1_2.storageBuffer8BitAccess && features.v1_2.shaderInt8;
  c.storage16 = features.v1_1.storageBuffer16BitAccess && features.v1_0.features.shaderInt16;
  c.float16 = features.v1_2.shaderFloat16;
  c.cooperative_matrix = cooperative_matrix && features.cooperative_matrix.cooperativeMatrix &&
                         c.float16 && c.storage16 && device->memory_model &&
                         HasCooperativeMatrix(vk, device->handle);
  c.push_descriptors = extensions.Has(VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME);
}

void QueryProperties(const InstanceFunctions& vk, PhysicalDevice* device) {
  auto push_descriptor = VkStruct<VkPhysicalDevicePushDescriptorPropertiesKHR>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PUSH_DESCRIPTOR_PROPERTIES_KHR);
  auto driver = VkStruct<VkPhysicalDeviceDriverProperties>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES);
  auto subgroup = VkStruct<VkPhysicalDeviceSubgroupProperties>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES);
  auto float_controls = VkStruct<VkPhysicalDeviceFloatControlsProperties>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES);
  auto maintenance3 = VkStruct<VkPhysicalDeviceMaintenance3Properties>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
  auto properties =
      VkStruct<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
  if (device->capabilities.push_descriptors) driver.pNext = &push_descriptor;
  float_controls.pNext = &driver;
  subgroup.pNext = &float_controls;
  maintenance3.pNext = &subgroup;
  properties.pNext = &maintenance3;
  vk.GetPhysicalDeviceProperties2(device->handle, &properties);

  const VkPhysicalDeviceProperties& p = properties.properties;
  device->name = p.deviceName;
  device->driver =
      absl::StrCat(driver.driverName, driver.driverInfo[0] != '\0' ? ", " : "", driver.driverInfo);
  device->type = p.deviceType;
  device->api_version = p.apiVersion;
  device->driver_version = p.driverVersion;
  device->vendor_id = p.vendorID;
  device->device_id = p.deviceID;
  std::memcpy(device->pipeline_cache_uuid, p.pipelineCacheUUID, VK_UUID_SIZE);
  constexpr uint64_t kMaxInt64 = std::numeric_limits<int64_t>::max();
  device->max_allocation_bytes =
      static_cast<int64_t>(std::min<uint64_t>(maintenance3.maxMemoryAllocationSize, kMaxInt64));
  device->non_coherent_atom_bytes = static_cast<int64_t>(p.limits.nonCoherentAtomSize);
  device->max_memory_allocations = p.limits.maxMemoryAllocationCount;

  constexpr VkSubgroupFeatureFlags kSubgroupOperations =
      VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_VOTE_BIT |
      VK_SUBGROUP_FEATURE_ARITHMETIC_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
  Capabilities& c = device->capabilities;
  // The extended types, which drivers of 1.2 have, are for kernels of i64.
  c.subgroups = device->subgroup_extended_types &&
                (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0 &&
                (subgroup.supportedOperations & kSubgroupOperations) == kSubgroupOperations;
  c.subgroup_size = c.subgroups ? subgroup.subgroupSize : 1;
  c.max_workgroup_invocations = p.limits.maxComputeWorkGroupInvocations;
  c.shared_memory_bytes = p.limits.maxComputeSharedMemorySize;
  c.max_push_descriptors = c.push_descriptors ? push_descriptor.maxPushDescriptors : 0;
  c.max_storage_buffers = p.limits.maxPerStageDescriptorStorageBuffers;
  c.many_buffers = c.max_storage_buffers > kRequiredStorageBuffers;
  c.max_storage_range = p.limits.maxStorageBufferRange;
  c.storage_alignment = static_cast<uint32_t>(p.limits.minStorageBufferOffsetAlignment);
  c.is_cpu = p.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
  c.unified_memory = c.is_cpu || p.deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
  c.keeps_nan = float_controls.shaderSignedZeroInfNanPreserveFloat32 &&
                (!c.float64 || float_controls.shaderSignedZeroInfNanPreserveFloat64);
  c.keeps_denormals =
      float_controls.denormBehaviorIndependence == VK_SHADER_FLOAT_CONTROLS_INDEPENDENCE_ALL &&
      float_controls.shaderDenormPreserveFloat32 &&
      (!c.float64 || float_controls.shaderDenormPreserveFloat64);
}

// UNAVAILABLE with the reason if the device cannot be used.
absl::StatusOr<PhysicalDevice> Query(const InstanceFunctions& vk, VkPhysicalDevice handle) {
  PhysicalDevice device;
  device.handle = handle;
  // Structures of later versions must not be asked for before the version is known.
  auto properties =
      VkStruct<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
  vk.GetPhysicalDeviceProperties2(handle, &properties);
  const uint32_t version = properties.properties.apiVersion;
  if (version < VK_API_VERSION_1_2) {
    return absl::UnavailableError(absl::StrCat(properties.properties.deviceName, ": Vulkan ",
                                               VK_API_VERSION_MAJOR(version), ".",
                                               VK_API_VERSION_MINOR(version), ", 1.2 is needed"));
  }
  std::optional<QueuePlan> queues = PlanQueuesOf(vk, handle);
  if (!queues.has_value()) {
    return absl::UnavailableError(
        absl::StrCat(properties.properties.deviceName, ": no queue for compute shaders"));
  }
  device.queues = *std::move(queues);
  TANDEM_ASSIGN_OR_RETURN(const Extensions extensions, ListExtensions(vk, handle));
  device.memory_budget = extensions.Has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  device.portability_subset = extensions.Has(kPortabilitySubset);
  QueryFeatures(vk, extensions, &device);
  QueryProperties(vk, &device);
  if (device.capabilities.max_storage_buffers < kRequiredStorageBuffers) {
    return absl::UnavailableError(
        absl::StrCat(properties.properties.deviceName, ": a shader binds ",
                     device.capabilities.max_storage_buffers, " storage buffers, ",
                     kRequiredStorageBuffers, " are needed"));
  }
  auto memory = VkStruct<VkPhysicalDeviceMemoryProperties2>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2);
  vk.GetPhysicalDeviceMemoryProperties2(handle, &memory);
  device.memory = memory.memoryProperties;
  return device;
}

// Small: first.
int Rank(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return 4;
    default:
      return 3;
  }
}

}  // namespace

absl::string_view PhysicalDeviceTypeName(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return "discrete GPU";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return "integrated GPU";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return "virtual GPU";
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return "CPU";
    default:
      return "other";
  }
}

absl::StatusOr<std::vector<PhysicalDevice>> ListPhysicalDevices(const Instance& instance) {
  const InstanceFunctions& vk = instance.functions();
  uint32_t count = 0;
  TANDEM_RETURN_IF_ERROR(VkStatus(vk.EnumeratePhysicalDevices(instance.handle(), &count, nullptr),
                                  "vkEnumeratePhysicalDevices"));
  std::vector<VkPhysicalDevice> handles(count);
  TANDEM_RETURN_IF_ERROR(
      VkStatus(vk.EnumeratePhysicalDevices(instance.handle(), &count, handles.data()),
               "vkEnumeratePhysicalDevices"));
  std::vector<PhysicalDevice> devices;
  std::vector<std::string> refused;
  for (VkPhysicalDevice handle : handles) {
    absl::StatusOr<PhysicalDevice> device = Query(vk, handle);
    if (device.ok()) {
      devices.push_back(*std::move(device));
    } else {
      refused.push_back(std::string(device.status().message()));
    }
  }
  if (devices.empty()) {
    return absl::UnavailableError(refused.empty() ? "Vulkan's drivers know no device"
                                                  : absl::StrCat("no Vulkan device can be used: ",
                                                                 absl::StrJoin(refused, "; ")));
  }
  std::stable_sort(
      devices.begin(), devices.end(),
      [](const PhysicalDevice& a, const PhysicalDevice& b) { return Rank(a.type) < Rank(b.type); });
  return devices;
}

VkResult CreateLogicalDevice(const Instance& instance, const PhysicalDevice& physical,
                             const Capabilities& capabilities, VkDevice* device,
                             DeviceFunctions* functions) {
  std::vector<const char*> extensions;
  if (capabilities.push_descriptors) {
    extensions.push_back(VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME);
  }
  if (capabilities.cooperative_matrix) {
    extensions.push_back(VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME);
  }
  if (physical.memory_budget) extensions.push_back(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  if (physical.portability_subset) extensions.push_back(kPortabilitySubset);

  // No more than the kernels use: the validation layer then reports a shader that uses a feature
  // which is not in the capabilities.
  Features features;
  if (!capabilities.cooperative_matrix) features.LeaveOutCooperativeMatrix();
  features.v1_0.features.shaderFloat64 = capabilities.float64;
  features.v1_0.features.shaderInt64 = capabilities.int64;
  features.v1_0.features.shaderInt16 = capabilities.storage16;
  features.v1_1.storageBuffer16BitAccess = capabilities.storage16;
  features.v1_2.storageBuffer8BitAccess = capabilities.storage8;
  features.v1_2.shaderInt8 = capabilities.storage8;
  features.v1_2.shaderFloat16 = capabilities.float16;
  features.v1_2.shaderSubgroupExtendedTypes =
      capabilities.subgroups && physical.subgroup_extended_types;
  features.v1_2.subgroupBroadcastDynamicId =
      capabilities.subgroups && physical.subgroup_broadcast_dynamic_id;
  features.v1_2.timelineSemaphore = VK_TRUE;  // every driver of 1.2 has it
  features.v1_2.vulkanMemoryModel = capabilities.cooperative_matrix;
  features.v1_2.vulkanMemoryModelDeviceScope = capabilities.cooperative_matrix;
  features.cooperative_matrix.cooperativeMatrix = capabilities.cooperative_matrix;

  const std::vector<float> priorities(kMaxComputeQueues + 1, 1.0f);
  std::vector<VkDeviceQueueCreateInfo> queues;
  for (const QueuePlan::Request& request : physical.queues.Requests()) {
    queues.push_back({
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .pNext = nullptr,
        .flags = 0,
        .queueFamilyIndex = request.family,
        .queueCount = request.count,
        .pQueuePriorities = priorities.data(),
    });
  }
  const VkDeviceCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
      .pNext = &features.v1_0,
      .flags = 0,
      .queueCreateInfoCount = static_cast<uint32_t>(queues.size()),
      .pQueueCreateInfos = queues.data(),
      .enabledLayerCount = 0,
      .ppEnabledLayerNames = nullptr,
      .enabledExtensionCount = static_cast<uint32_t>(extensions.size()),
      .ppEnabledExtensionNames = extensions.data(),
      .pEnabledFeatures = nullptr,
  };
  VkDevice created = VK_NULL_HANDLE;
  if (VkResult result =
          instance.functions().CreateDevice(physical.handle, &info, nullptr, &created);
      result != VK_SUCCESS) {
    return result;
  }
  if (!LoadDeviceFunctions(instance.functions(), created, functions).ok()) {
    if (functions->DestroyDevice != nullptr) functions->DestroyDevice(created, nullptr);
    return VK_ERROR_INITIALIZATION_FAILED;
  }
  *device = created;
  return VK_SUCCESS;
}

}  // namespace tandem::vulkan_backend
