#include "tandem/backends/vulkan/driver/instance.h"

#include <array>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "tandem/backends/vulkan/driver/loader.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/driver/vk_status.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

constexpr char kValidationLayer[] = "VK_LAYER_KHRONOS_validation";

VKAPI_ATTR VkBool32 VKAPI_CALL OnMessage(VkDebugUtilsMessageSeverityFlagBitsEXT,
                                         VkDebugUtilsMessageTypeFlagsEXT,
                                         const VkDebugUtilsMessengerCallbackDataEXT* data, void*) {
  ValidationLog::Global().Add(data->pMessage != nullptr ? data->pMessage : "");
  return VK_FALSE;  // the call goes on
}

VkDebugUtilsMessengerCreateInfoEXT MessengerInfo() {
  return {
      .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
      .pNext = nullptr,
      .flags = 0,
      .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                         VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
      // Not what the loader says in general, for instance about other drivers of the machine.
      .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
      .pfnUserCallback = OnMessage,
      .pUserData = nullptr,
  };
}

absl::StatusOr<bool> HasLayer(const GlobalFunctions& vk, const char* name) {
  uint32_t count = 0;
  TANDEM_RETURN_IF_ERROR(VkStatus(vk.EnumerateInstanceLayerProperties(&count, nullptr),
                                  "vkEnumerateInstanceLayerProperties"));
  std::vector<VkLayerProperties> layers(count);
  TANDEM_RETURN_IF_ERROR(VkStatus(vk.EnumerateInstanceLayerProperties(&count, layers.data()),
                                  "vkEnumerateInstanceLayerProperties"));
  for (const VkLayerProperties& layer : layers) {
    if (std::strcmp(layer.layerName, name) == 0) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Instance>> Instance::Get(const InstanceOptions& options) {
  static absl::Mutex mutex(absl::kConstInit);
  static auto* const instances = new std::map<InstanceOptions, std::weak_ptr<Instance>>;
  absl::MutexLock lock(&mutex);
  std::weak_ptr<Instance>& known = (*instances)[options];
  std::shared_ptr<Instance> instance = known.lock();
  if (instance == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(instance, Create(options));
    known = instance;
  }
  return instance;
}

absl::StatusOr<std::shared_ptr<Instance>> Instance::Create(const InstanceOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const GlobalFunctions* vk, LoadVulkan(options.library));
  const bool validation = options.validation != Validation::kOff;
  if (validation) {
    TANDEM_ASSIGN_OR_RETURN(const bool has_layer, HasLayer(*vk, kValidationLayer));
    if (!has_layer) {
      return absl::FailedPreconditionError(
          "vulkan: option validation: the Khronos validation layer is not installed "
          "(Debian: vulkan-validationlayers)");
    }
  }

  const VkApplicationInfo application = {
      .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
      .pNext = nullptr,
      .pApplicationName = "tandem",
      .applicationVersion = 1,
      .pEngineName = "tandem",
      .engineVersion = 1,
      .apiVersion = VK_API_VERSION_1_2,
  };
  // Also in the chain, for messages about the instance's own creation and end.
  VkDebugUtilsMessengerCreateInfoEXT messenger = MessengerInfo();
  const VkValidationFeatureEnableEXT synchronization =
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  const VkValidationFeaturesEXT features = {
      .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
      .pNext = &messenger,
      .enabledValidationFeatureCount = options.validation == Validation::kSync ? 1u : 0u,
      .pEnabledValidationFeatures = &synchronization,
      .disabledValidationFeatureCount = 0,
      .pDisabledValidationFeatures = nullptr,
  };
  const char* const layers[] = {kValidationLayer};
  // The second one is the layer's, and makes VkValidationFeaturesEXT legal.
  const char* const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
                                    VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME};
  const VkInstanceCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
      .pNext = validation ? &features : nullptr,
      .flags = 0,
      .pApplicationInfo = &application,
      .enabledLayerCount = validation ? 1u : 0u,
      .ppEnabledLayerNames = layers,
      .enabledExtensionCount = validation ? 2u : 0u,
      .ppEnabledExtensionNames = extensions,
  };
  // Not make_shared: the constructor is private.
  std::shared_ptr<Instance> instance(new Instance(options));
  TANDEM_RETURN_IF_ERROR(
      VkStatus(vk->CreateInstance(&info, nullptr, &instance->instance_), "vkCreateInstance"));
  TANDEM_RETURN_IF_ERROR(LoadInstanceFunctions(*vk, instance->instance_, &instance->functions_));
  if (validation && instance->functions_.CreateDebugUtilsMessengerEXT != nullptr) {
    TANDEM_RETURN_IF_ERROR(
        VkStatus(instance->functions_.CreateDebugUtilsMessengerEXT(instance->instance_, &messenger,
                                                                   nullptr, &instance->messenger_),
                 "vkCreateDebugUtilsMessengerEXT"));
  }
  return instance;
}

Instance::~Instance() {
  // Null if a function was missing; then the loader is broken, and the instance is left alone.
  if (instance_ == VK_NULL_HANDLE || functions_.DestroyInstance == nullptr) return;
  if (messenger_ != VK_NULL_HANDLE) {
    functions_.DestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
  }
  functions_.DestroyInstance(instance_, nullptr);
}

}  // namespace tandem::vulkan_backend
