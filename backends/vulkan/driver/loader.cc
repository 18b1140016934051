#include "tandem/backends/vulkan/driver/loader.h"

#include <dlfcn.h>

#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

absl::Status Missing(const char* function) {
  return absl::UnavailableError(
      absl::StrCat("Vulkan's loader has no ", function, "; Vulkan 1.2 is needed"));
}

absl::StatusOr<std::unique_ptr<const GlobalFunctions>> Open(const std::string& library) {
  // Never closed: drivers and layers leave threads and exit handlers behind.
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return absl::UnavailableError(
        absl::StrCat("Vulkan's loader cannot be opened (", reason != nullptr ? reason : library,
                     "); install the driver of your GPU, and the loader (Debian: libvulkan1)"));
  }
  auto functions = std::make_unique<GlobalFunctions>();
  functions->GetInstanceProcAddr =
      reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(handle, "vkGetInstanceProcAddr"));
  if (functions->GetInstanceProcAddr == nullptr) {
    return absl::UnavailableError(absl::StrCat(library, " is not Vulkan's loader"));
  }
#define TANDEM_LOAD(name)                                                                         \
  functions->name =                                                                               \
      reinterpret_cast<PFN_vk##name>(functions->GetInstanceProcAddr(VK_NULL_HANDLE, "vk" #name)); \
  if (functions->name == nullptr) return Missing("vk" #name);
  TANDEM_VULKAN_GLOBAL_FUNCTIONS(TANDEM_LOAD)
#undef TANDEM_LOAD
  uint32_t version = 0;
  if (functions->EnumerateInstanceVersion(&version) != VK_SUCCESS || version < VK_API_VERSION_1_2) {
    return absl::UnavailableError(absl::StrCat(library, " is a loader of Vulkan ",
                                               VK_API_VERSION_MAJOR(version), ".",
                                               VK_API_VERSION_MINOR(version), "; 1.2 is needed"));
  }
  return std::unique_ptr<const GlobalFunctions>(std::move(functions));
}

}  // namespace

absl::StatusOr<const GlobalFunctions*> LoadVulkan(const std::string& library) {
  // Never destroyed, as the libraries are never closed.
  static absl::Mutex mutex(absl::kConstInit);
  static auto* const opened = new std::map<std::string, std::unique_ptr<const GlobalFunctions>>;
  absl::MutexLock lock(&mutex);
  std::unique_ptr<const GlobalFunctions>& functions = (*opened)[library];
  if (functions == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(functions, Open(library));
  }
  return functions.get();
}

absl::Status LoadInstanceFunctions(const GlobalFunctions& vk, VkInstance instance,
                                   InstanceFunctions* functions) {
#define TANDEM_LOAD_OPTIONAL(name) \
  functions->name = reinterpret_cast<PFN_vk##name>(vk.GetInstanceProcAddr(instance, "vk" #name));
#define TANDEM_LOAD(name)    \
  TANDEM_LOAD_OPTIONAL(name) \
  if (functions->name == nullptr) return Missing("vk" #name);
  TANDEM_VULKAN_INSTANCE_FUNCTIONS(TANDEM_LOAD)
  TANDEM_VULKAN_OPTIONAL_INSTANCE_FUNCTIONS(TANDEM_LOAD_OPTIONAL)
#undef TANDEM_LOAD
#undef TANDEM_LOAD_OPTIONAL
  return absl::OkStatus();
}

absl::Status LoadDeviceFunctions(const InstanceFunctions& vk, VkDevice device,
                                 DeviceFunctions* functions) {
#define TANDEM_LOAD_OPTIONAL(name) \
  functions->name = reinterpret_cast<PFN_vk##name>(vk.GetDeviceProcAddr(device, "vk" #name));
#define TANDEM_LOAD(name)    \
  TANDEM_LOAD_OPTIONAL(name) \
  if (functions->name == nullptr) return Missing("vk" #name);
  TANDEM_VULKAN_DEVICE_FUNCTIONS(TANDEM_LOAD)
  TANDEM_VULKAN_OPTIONAL_DEVICE_FUNCTIONS(TANDEM_LOAD_OPTIONAL)
#undef TANDEM_LOAD
#undef TANDEM_LOAD_OPTIONAL
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
