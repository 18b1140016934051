// Which of a device's memory types serves a kind of buffer.
//
//   for (uint32_t type : MemoryTypesFor(MemoryKind::kUpload, memory, shared, bits)) …
//
// Device memory is local to the device. Where host and device share their memory, it is also visible
// to the host, which saves copies. On a discrete GPU it is not, even if the bus shows all of it: the
// host would read it word by word over the bus. Uploads are written through to memory of the host
// (coherent), readbacks are read from memory that the host caches. Unified memory is what both reach
// at once.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_MEMORY_MEMORY_TYPES_H_
#define TANDEM_BACKENDS_VULKAN_MEMORY_MEMORY_TYPES_H_

#include <vulkan/vulkan.h>

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/device/buffer.h"

namespace tandem::vulkan_backend {

// Indices of types in `memory` whose bits are set in `type_bits`, best first; empty: the device
// lacks that kind. `shared`: host and device share their memory (integrated GPUs, CPUs).
std::vector<uint32_t> MemoryTypesFor(MemoryKind kind,
                                     const VkPhysicalDeviceMemoryProperties& memory, bool shared,
                                     uint32_t type_bits);

absl::string_view MemoryKindName(MemoryKind kind);  // "device"

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_MEMORY_MEMORY_TYPES_H_
