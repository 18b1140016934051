// What streams and command buffers refuse before anything reaches the driver, and how views become
// ranges of VkBuffers.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_COMMANDS_COMMAND_CHECKS_H_
#define TANDEM_BACKENDS_VULKAN_COMMANDS_COMMAND_CHECKS_H_

#include <vulkan/vulkan.h>

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/vulkan/driver/vulkan_context.h"
#include "tandem/core/device/buffer.h"
#include "tandem/core/device/command.h"

namespace tandem::vulkan_backend {

// The program is this device's, with as many bindings and bytes of constants as it has, and no axis
// of the grid has more than 65535 groups. Views are not looked at.
absl::Status CheckDispatch(const VulkanContext& context, const Dispatch& dispatch);

// Sizes are equal. (Whether the ranges overlap, CheckCopyRanges says when they are known.)
absl::Status CheckCopy(const BufferView& from, const BufferView& to);

// Offset and size are multiples of four.
absl::Status CheckFill(const BufferView& to);

// A range inside of a buffer of this device. `what` and `index` name it in the error.
absl::Status CheckView(const VulkanContext& context, absl::string_view what, size_t index,
                       const BufferView& view);

// The range of a checked view, as copies and fills name it.
VkDescriptorBufferInfo RangeOf(const BufferView& view);

// The range of a checked view as a storage buffer. Its size is rounded up to whole 32-bit words,
// which belong to the buffer (vulkan_buffer.h); an empty view becomes one word, for Vulkan has no
// empty descriptors. INVALID_ARGUMENT if it does not start where a storage buffer may,
// RESOURCE_EXHAUSTED if it is larger than one may be.
absl::Status ToDescriptor(const VulkanContext& context, absl::string_view what, size_t index,
                          const BufferView& view, VkDescriptorBufferInfo* descriptor);

// The ranges do not overlap.
absl::Status CheckCopyRanges(const VkDescriptorBufferInfo& from, const VkDescriptorBufferInfo& to);

// Whether a dispatch has no work groups.
inline bool IsEmptyGrid(const std::array<uint32_t, 3>& grid) {
  return grid[0] == 0 || grid[1] == 0 || grid[2] == 0;
}

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_COMMANDS_COMMAND_CHECKS_H_
