// Vulkan's results as absl::Status.
//
//   TANDEM_RETURN_IF_ERROR(VkStatus(result, "vkCreateInstance"));
//
// Who has a VulkanContext uses its Check, which also remembers that the device is lost.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_DRIVER_VK_STATUS_H_
#define TANDEM_BACKENDS_VULKAN_DRIVER_VK_STATUS_H_

#include <vulkan/vulkan.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tandem::vulkan_backend {

// "VK_ERROR_DEVICE_LOST"; "VkResult -77" for results that are younger than this file.
std::string VkResultName(VkResult result);

// OK for VK_SUCCESS and the other results that are no errors. RESOURCE_EXHAUSTED for memory and
// objects, UNAVAILABLE for lost devices and missing drivers, FAILED_PRECONDITION for absent layers,
// extensions and features, DEADLINE_EXCEEDED for a timeout, INTERNAL for the rest. The text names
// the call, the result and what to do about it.
absl::Status VkStatus(VkResult result, absl::string_view call);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_DRIVER_VK_STATUS_H_
