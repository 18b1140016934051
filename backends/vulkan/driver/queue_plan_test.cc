#include "tandem/backends/vulkan/driver/queue_plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::ElementsAre;

using Request = QueuePlan::Request;

constexpr VkQueueFlags kGraphics = VK_QUEUE_GRAPHICS_BIT;
constexpr VkQueueFlags kCompute = VK_QUEUE_COMPUTE_BIT;
constexpr VkQueueFlags kTransfer = VK_QUEUE_TRANSFER_BIT;
constexpr VkQueueFlags kSparse = VK_QUEUE_SPARSE_BINDING_BIT;
// Video, by the number in the registry: a header may be older than the extension.
constexpr VkQueueFlags kDecode = 0x20;
constexpr VkQueueFlags kEncode = 0x40;

VkQueueFamilyProperties Family(VkQueueFlags flags, uint32_t count) {
  VkQueueFamilyProperties family = {};
  family.queueFlags = flags;
  family.queueCount = count;
  return family;
}

QueueSlot Computes(uint32_t family, uint32_t index) { return {{family, true}, index}; }
QueueSlot Copies(uint32_t family, uint32_t index) { return {{family, false}, index}; }

TEST(QueuePlanTest, OneQueueDoesAll) {
  const auto plan = PlanQueues({Family(kGraphics | kCompute | kTransfer, 1)});
  ASSERT_TRUE(plan.has_value());
  EXPECT_THAT(plan->compute, ElementsAre(Computes(0, 0)));
  EXPECT_EQ(plan->transfer, std::nullopt);
  EXPECT_THAT(plan->Requests(), ElementsAre(Request{0, 1}));
  EXPECT_FALSE(plan->shuffled);
}

TEST(QueuePlanTest, NothingComputes) {
  EXPECT_FALSE(PlanQueues({}).has_value());
  EXPECT_FALSE(PlanQueues({Family(kGraphics, 1), Family(kTransfer, 2)}).has_value());
  EXPECT_FALSE(PlanQueues({Family(kCompute, 0)}).has_value());
}

TEST(QueuePlanTest, AGpuWithCopyAndVideoEngines) {
  const auto plan =
      PlanQueues({Family(kGraphics | kCompute | kTransfer | kSparse, 16),
                  Family(kTransfer | kDecode, 1), Family(kTransfer | kSparse, 2),
                  Family(kCompute | kTransfer | kSparse, 8), Family(kTransfer | kEncode, 1)});
  ASSERT_TRUE(plan.has_value());
  EXPECT_THAT(plan->compute,
              ElementsAre(Computes(3, 0), Computes(3, 1), Computes(3, 2), Computes(3, 3)));
  EXPECT_EQ(plan->transfer, Copies(2, 0));
  EXPECT_THAT(plan->Requests(), ElementsAre(Request{3, 4}, Request{2, 1}));
}

TEST(QueuePlanTest, AFamilyThatOnlyLacksTransfersIsNoCopyEngine) {
  const auto plan = PlanQueues({Family(kCompute, 1), Family(kGraphics | kTransfer, 1),
                                Family(kSparse, 1), Family(kTransfer, 0)});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->transfer, std::nullopt);
}

TEST(QueuePlanTest, WithoutACopyEngineTheLastQueueCopies) {
  for (const uint32_t count : {2u, 3u, 5u, 16u}) {
    const auto plan = PlanQueues({Family(kGraphics | kCompute | kTransfer, count)});
    ASSERT_TRUE(plan.has_value());
    const uint32_t computing = std::min(count - 1, kMaxComputeQueues);
    EXPECT_EQ(plan->compute.size(), computing);
    EXPECT_EQ(plan->transfer, Computes(0, computing));
    EXPECT_THAT(plan->Requests(), ElementsAre(Request{0, computing + 1}));
  }
}

TEST(QueuePlanTest, ManyLogicalQueuesOfOne) {
  const auto plan = PlanQueues({Family(kGraphics, 1), Family(kGraphics | kCompute | kTransfer, 1)});
  ASSERT_TRUE(plan.has_value());
  const QueuePlan shared = ShareOneQueue(*plan, 3);
  EXPECT_THAT(shared.compute, ElementsAre(Computes(1, 0), Computes(1, 0), Computes(1, 0)));
  EXPECT_EQ(shared.transfer, Copies(1, 0));
  EXPECT_THAT(shared.Requests(), ElementsAre(Request{1, 1}));
  EXPECT_TRUE(shared.shuffled);
}

}  // namespace
}  // namespace tandem::vulkan_backend
