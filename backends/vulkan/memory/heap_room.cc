#include "tandem/backends/vulkan/memory/heap_room.h"

#include "absl/strings/str_cat.h"

namespace tandem::vulkan_backend {

absl::Status CheckRoom(int64_t bytes, const HeapRoom& room) {
  if (!room.budget.has_value()) {
    // Other processes' share is unknown here; the driver knows it.
    if (bytes <= room.heap_bytes - room.reserved_bytes) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("the heap has ", room.heap_bytes, " bytes"));
  }
  // A driver lowers the budget when others need memory, also below what is used.
  const HeapRoom::Budget& budget = *room.budget;
  if (budget.used <= budget.bytes && static_cast<uint64_t>(bytes) <= budget.bytes - budget.used) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat("this process's budget of the heap is ",
                                                   budget.bytes, " bytes, of which ", budget.used,
                                                   " are taken"));
}

}  // namespace tandem::vulkan_backend
