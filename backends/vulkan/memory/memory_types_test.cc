#include "tandem/backends/vulkan/memory/memory_types.h"

#include <initializer_list>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kVisible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
constexpr VkMemoryPropertyFlags kCoherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
constexpr uint32_t kAll = ~uint32_t{0};

VkPhysicalDeviceMemoryProperties Memory(std::initializer_list<VkMemoryPropertyFlags> types) {
  VkPhysicalDeviceMemoryProperties memory = {};
  for (const VkMemoryPropertyFlags flags : types) {
    memory.memoryTypes[memory.memoryTypeCount++].propertyFlags = flags;
  }
  return memory;
}

std::vector<uint32_t> Discrete(MemoryKind kind, const VkPhysicalDeviceMemoryProperties& memory) {
  return MemoryTypesFor(kind, memory, /*shared=*/false, kAll);
}

std::vector<uint32_t> Shared(MemoryKind kind, const VkPhysicalDeviceMemoryProperties& memory) {
  return MemoryTypesFor(kind, memory, /*shared=*/true, kAll);
}

// As most discrete GPUs list them, with a window on their memory.
const VkPhysicalDeviceMemoryProperties kDiscrete =
    Memory({0, kLocal, kVisible | kCoherent, kVisible | kCoherent | kCached,
            kLocal | kVisible | kCoherent});

TEST(MemoryTypesTest, DiscreteGpu) {
  EXPECT_THAT(Discrete(MemoryKind::kDevice, kDiscrete), ElementsAre(1, 4));
  EXPECT_THAT(Discrete(MemoryKind::kUpload, kDiscrete), ElementsAre(2, 3, 4));
  EXPECT_THAT(Discrete(MemoryKind::kReadback, kDiscrete), ElementsAre(3, 2, 4));
  EXPECT_THAT(Discrete(MemoryKind::kUnified, kDiscrete), ElementsAre(4));
}

TEST(MemoryTypesTest, WithoutAWindowThereIsNoUnifiedMemory) {
  EXPECT_THAT(Discrete(MemoryKind::kUnified, Memory({kLocal, kVisible | kCoherent})), IsEmpty());
}

TEST(MemoryTypesTest, SharedMemoryIsSeenByTheHost) {
  const auto memory =
      Memory({kLocal, kLocal | kVisible | kCoherent, kLocal | kVisible | kCoherent | kCached});
  for (const MemoryKind kind :
       {MemoryKind::kDevice, MemoryKind::kUpload, MemoryKind::kReadback, MemoryKind::kUnified}) {
    EXPECT_EQ(Shared(kind, memory).front(), 2) << MemoryKindName(kind);
  }
}

TEST(MemoryTypesTest, CachedBeatsCoherentForReading) {
  const auto memory = Memory({kVisible | kCoherent, kVisible | kCached});
  EXPECT_THAT(Discrete(MemoryKind::kReadback, memory), ElementsAre(1, 0));
  EXPECT_THAT(Discrete(MemoryKind::kUpload, memory), ElementsAre(0, 1));
}

TEST(MemoryTypesTest, HeedsTheBits) {
  EXPECT_THAT(MemoryTypesFor(MemoryKind::kUpload, kDiscrete, false, 0b01000), ElementsAre(3));
  EXPECT_THAT(MemoryTypesFor(MemoryKind::kDevice, kDiscrete, false, 0b01000), IsEmpty());
}

TEST(MemoryTypesTest, LeavesOutSpecialMemory) {
  const auto memory = Memory(
      {kLocal | VK_MEMORY_PROPERTY_PROTECTED_BIT, kLocal | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT,
       kLocal | kVisible | kCoherent | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD, kLocal});
  EXPECT_THAT(Discrete(MemoryKind::kDevice, memory), ElementsAre(3));
}

}  // namespace
}  // namespace tandem::vulkan_backend
