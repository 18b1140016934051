// Whether a heap of a device has room for more.
//
//   HeapRoom room = {.heap_bytes = int64_t{8} << 30, .reserved_bytes = 1 << 30};
//   TANDEM_RETURN_IF_ERROR(CheckRoom(64 << 20, room));
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_MEMORY_HEAP_ROOM_H_
#define TANDEM_BACKENDS_VULKAN_MEMORY_HEAP_ROOM_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace tandem::vulkan_backend {

struct HeapRoom {
  int64_t heap_bytes = 0;
  int64_t reserved_bytes = 0;  // that the allocator has taken of it
  // VK_EXT_memory_budget: what the process may take, other programs' shares considered, and what it
  // has taken by any means.
  struct Budget {
    uint64_t bytes = 0;
    uint64_t used = 0;
  };
  std::optional<Budget> budget;  // nothing: the driver tells none
};

// RESOURCE_EXHAUSTED with the numbers if `bytes` more are too much.
absl::Status CheckRoom(int64_t bytes, const HeapRoom& room);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_MEMORY_HEAP_ROOM_H_
