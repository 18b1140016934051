#include "tandem/backends/vulkan/memory/memory_types.h"

#include <algorithm>
#include <utility>

namespace tandem::vulkan_backend {
namespace {

constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kVisible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
constexpr VkMemoryPropertyFlags kCoherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;

// Types with any other property (protected, lazily allocated, uncached on the device) serve purposes
// that are not ours.
constexpr VkMemoryPropertyFlags kKnown = kLocal | kVisible | kCoherent | kCached;

struct Wish {
  VkMemoryPropertyFlags required;
  // Most important first; `wanted` says whether the property should be there or not.
  struct Preference {
    VkMemoryPropertyFlags property;
    bool wanted;
  } preferences[3];
};

Wish WishFor(MemoryKind kind, bool shared) {
  switch (kind) {
    case MemoryKind::kUpload:
      // Beside the GPU's own memory, which is scarce where a window shows some of it; uncached
      // memory is written as fast, and leaves the host's caches alone.
      return {kVisible, {{kCoherent, true}, {kLocal, shared}, {kCached, shared}}};
    case MemoryKind::kReadback:
      return {kVisible, {{kCached, true}, {kLocal, shared}, {kCoherent, true}}};
    case MemoryKind::kUnified:
      return {kLocal | kVisible, {{kCached, true}, {kCoherent, true}, {kLocal, true}}};
    case MemoryKind::kDevice:
      break;
  }
  return {kLocal, {{kVisible, shared}, {kCached, shared}, {kCoherent, shared}}};
}

}  // namespace

std::vector<uint32_t> MemoryTypesFor(MemoryKind kind,
                                     const VkPhysicalDeviceMemoryProperties& memory, bool shared,
                                     uint32_t type_bits) {
  const Wish wish = WishFor(kind, shared);
  std::vector<std::pair<int, uint32_t>> ranked;
  for (uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
    const VkMemoryPropertyFlags flags = memory.memoryTypes[i].propertyFlags;
    if ((type_bits >> i & 1) == 0 || (flags & wish.required) != wish.required ||
        (flags & ~kKnown) != 0) {
      continue;
    }
    int misses = 0;
    for (const Wish::Preference& preference : wish.preferences) {
      misses = 2 * misses + (((flags & preference.property) != 0) != preference.wanted);
    }
    ranked.push_back({misses, i});
  }
  // A driver lists the faster of two types with the same properties first.
  std::sort(ranked.begin(), ranked.end());
  std::vector<uint32_t> types;
  for (const auto& [misses, type] : ranked) types.push_back(type);
  return types;
}

absl::string_view MemoryKindName(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kUpload:
      return "upload";
    case MemoryKind::kReadback:
      return "readback";
    case MemoryKind::kUnified:
      return "unified";
    case MemoryKind::kDevice:
      break;
  }
  return "device";
}

}  // namespace tandem::vulkan_backend
