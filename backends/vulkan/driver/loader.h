// Opens Vulkan's loader at run time: a program that links this backend starts without Vulkan, too.
//
//   TANDEM_ASSIGN_OR_RETURN(const GlobalFunctions* vk, LoadVulkan("libvulkan.so.1"));
//   vk->CreateInstance(...);
//
// Thread rules: all functions from any thread.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_LOADER_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_LOADER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/driver/functions.h"

namespace tandem::vulkan_backend {

// The functions of the library (a name for dlopen, or a path), which stays open until the process
// ends. UNAVAILABLE with the reason if it cannot be opened or is not Vulkan's loader, or an old one.
absl::StatusOr<const GlobalFunctions*> LoadVulkan(const std::string& library);

// UNAVAILABLE names a function that is missing.
absl::Status LoadInstanceFunctions(const GlobalFunctions& vk, VkInstance instance,
                                   InstanceFunctions* functions);
absl::Status LoadDeviceFunctions(const InstanceFunctions& vk, VkDevice device,
                                 DeviceFunctions* functions);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_LOADER_H_
