#include "tandem/backends/vulkan/driver/vk_status.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace tandem::vulkan_backend {

std::string VkResultName(VkResult result) {
  switch (result) {
#define TANDEM_CASE(name) \
  case name:              \
    return #name
    TANDEM_CASE(VK_SUCCESS);
    TANDEM_CASE(VK_NOT_READY);
    TANDEM_CASE(VK_TIMEOUT);
    TANDEM_CASE(VK_EVENT_SET);
    TANDEM_CASE(VK_EVENT_RESET);
    TANDEM_CASE(VK_INCOMPLETE);
    TANDEM_CASE(VK_ERROR_OUT_OF_HOST_MEMORY);
    TANDEM_CASE(VK_ERROR_OUT_OF_DEVICE_MEMORY);
    TANDEM_CASE(VK_ERROR_INITIALIZATION_FAILED);
    TANDEM_CASE(VK_ERROR_DEVICE_LOST);
    TANDEM_CASE(VK_ERROR_MEMORY_MAP_FAILED);
    TANDEM_CASE(VK_ERROR_LAYER_NOT_PRESENT);
    TANDEM_CASE(VK_ERROR_EXTENSION_NOT_PRESENT);
    TANDEM_CASE(VK_ERROR_FEATURE_NOT_PRESENT);
    TANDEM_CASE(VK_ERROR_INCOMPATIBLE_DRIVER);
    TANDEM_CASE(VK_ERROR_TOO_MANY_OBJECTS);
    TANDEM_CASE(VK_ERROR_FORMAT_NOT_SUPPORTED);
    TANDEM_CASE(VK_ERROR_FRAGMENTED_POOL);
    TANDEM_CASE(VK_ERROR_UNKNOWN);
    TANDEM_CASE(VK_ERROR_OUT_OF_POOL_MEMORY);
    TANDEM_CASE(VK_ERROR_FRAGMENTATION);
    TANDEM_CASE(VK_ERROR_INVALID_SHADER_NV);
#undef TANDEM_CASE
    default:
      return absl::StrCat("VkResult ", static_cast<int>(result));
  }
}

absl::Status VkStatus(VkResult result, absl::string_view call) {
  const auto text = [&](absl::string_view hint) {
    return absl::StrCat(call, ": ", VkResultName(result), hint);
  };
  switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
      return absl::ResourceExhaustedError(text(": the host has no memory left"));
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
      return absl::ResourceExhaustedError(
          text(": the device has no memory left; use smaller batches, or release tensors"));
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_FRAGMENTATION:
    case VK_ERROR_TOO_MANY_OBJECTS:
      return absl::ResourceExhaustedError(text(": the driver has no room for more objects"));
    case VK_ERROR_MEMORY_MAP_FAILED:
      return absl::ResourceExhaustedError(text(": no address space for the device's memory"));
    case VK_ERROR_DEVICE_LOST:
      return absl::UnavailableError(
          text(": the device is lost; restart the program, and if that recurs look at the kernel's "
               "log: a driver resets a device after a hang, a fault, or when it overheats"));
    case VK_ERROR_INCOMPATIBLE_DRIVER:
      return absl::UnavailableError(text(
          ": no Vulkan driver; install the one of your GPU, or mesa-vulkan-drivers for a CPU's"));
    case VK_ERROR_INITIALIZATION_FAILED:
      return absl::UnavailableError(text(": the driver cannot start; is the device in use?"));
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
      return absl::FailedPreconditionError(text(""));
    case VK_TIMEOUT:
    case VK_NOT_READY:
      return absl::DeadlineExceededError(text(""));
    default:
      // Positive results tell something; they are no errors.
      return result >= 0 ? absl::OkStatus() : absl::InternalError(text(""));
  }
}

}  // namespace tandem::vulkan_backend
