#include "tandem/backends/vulkan/memory/heap_room.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::HasSubstr;

TEST(HeapRoomTest, WithoutABudgetTheHeapIsTheLimit) {
  const HeapRoom room = {.heap_bytes = 1000, .reserved_bytes = 400, .budget = {}};
  EXPECT_TRUE(CheckRoom(600, room).ok());
  const absl::Status status = CheckRoom(601, room);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(status.message(), HasSubstr("1000 bytes"));
}

TEST(HeapRoomTest, TheBudgetIsTheLimitWhereThereIsOne) {
  HeapRoom room = {.heap_bytes = 1000, .reserved_bytes = 100, .budget = {}};
  room.budget = {.bytes = 500, .used = 200};
  EXPECT_TRUE(CheckRoom(300, room).ok());
  const absl::Status status = CheckRoom(301, room);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(status.message(), HasSubstr("500 bytes, of which 200 are taken"));
}

TEST(HeapRoomTest, ABudgetMayFallBelowWhatIsUsed) {
  HeapRoom room = {.heap_bytes = 1000, .reserved_bytes = 600, .budget = {}};
  room.budget = {.bytes = 500, .used = 600};
  EXPECT_TRUE(absl::IsResourceExhausted(CheckRoom(1, room)));
  room.budget = {.bytes = std::numeric_limits<uint64_t>::max(), .used = 0};
  EXPECT_TRUE(CheckRoom(std::numeric_limits<int64_t>::max(), room).ok());
}

}  // namespace
}  // namespace tandem::vulkan_backend
