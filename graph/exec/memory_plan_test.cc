#include "tandem/graph/exec/memory_plan.h"

#include <cstdint>
#include <limits>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

TEST(MemoryPlan, BlocksThatDoNotMeetShareAddresses) {
  MemoryPlanner planner(64);
  const int a = planner.Add({.bytes = 1000, .first = 0, .last = 1, .name = "a"});
  const int b = planner.Add({.bytes = 1000, .first = 1, .last = 2, .name = "b"});
  const int c = planner.Add({.bytes = 1000, .first = 2, .last = 3, .name = "c"});
  const auto plan = planner.Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->Check().ok()) << plan->Check();
  EXPECT_EQ(plan->blocks[a].offset, plan->blocks[c].offset);
  EXPECT_NE(plan->blocks[a].offset, plan->blocks[b].offset);
  EXPECT_EQ(plan->arena_bytes, 2048);
  EXPECT_EQ(plan->lower_bound_bytes, 2048);
}

TEST(MemoryPlan, ABlockThatIsDeadBeforeAnOutputLivesInItsBuffer) {
  MemoryPlanner planner(64);
  const int pool = planner.AddPool({.bytes = 4096, .first = 2});
  const int early = planner.Add({.bytes = 4096, .first = 0, .last = 1, .name = "early"});
  const int late = planner.Add({.bytes = 100, .first = 1, .last = 2, .name = "late"});
  const auto plan = planner.Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->Check().ok()) << plan->Check();
  EXPECT_EQ(plan->blocks[early].pool, pool);
  EXPECT_EQ(plan->blocks[late].pool, kArenaPool);
  EXPECT_EQ(plan->arena_bytes, 128);
}

TEST(MemoryPlan, RandomPlansNeverOverlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    MemoryPlanner planner(64);
    const int pools = random() % 3;
    for (int i = 0; i < pools; ++i) {
      planner.AddPool({.bytes = static_cast<int64_t>(random() % 5000),
                       .first = static_cast<int>(random() % 40)});
    }
    const int blocks = random() % 60;
    for (int i = 0; i < blocks; ++i) {
      const int first = random() % 40;
      planner.Add({.bytes = static_cast<int64_t>(random() % 3000),
                   .first = first,
                   .last = first + static_cast<int>(random() % 10),
                   .name = "b"});
    }
    const auto plan = planner.Plan();
    ASSERT_TRUE(plan.ok()) << plan.status();
    ASSERT_TRUE(plan->Check().ok()) << "round " << round << ": " << plan->Check() << "\n"
                                    << plan->ToString();
    if (pools == 0) {
      EXPECT_GE(plan->arena_bytes, plan->lower_bound_bytes);
    }
  }
}

// Minutes, if the work grew with blocks times outputs times blocks.
TEST(MemoryPlan, ManyBlocksAndManyOutputs) {
  constexpr int kBlocks = 5000;
  MemoryPlanner planner(64);
  for (int i = 1; i < kBlocks; i += 2) planner.AddPool({.bytes = 1024, .first = i});
  for (int i = 0; i < kBlocks; ++i) {
    planner.Add({.bytes = 1000, .first = i, .last = i + 1, .name = "t"});
  }
  const auto plan = planner.Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_TRUE(plan->Check().ok()) << plan->Check();
  EXPECT_LE(plan->arena_bytes, 2048);
}

TEST(MemoryPlan, OfManyOutputsTheBestFittingOneIsUsed) {
  MemoryPlanner planner(64);
  for (int i = 0; i < 100; ++i) planner.AddPool({.bytes = 64 * (100 - i), .first = 5});
  const int block = planner.Add({.bytes = 640, .first = 0, .last = 1, .name = "t"});
  const auto plan = planner.Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->blocks[block].pool, 90);
  EXPECT_EQ(plan->arena_bytes, 0);
}

TEST(MemoryPlan, TheCheckFindsAnOverlap) {
  MemoryPlanner planner(64);
  planner.Add({.bytes = 64, .first = 0, .last = 1, .name = "a"});
  planner.Add({.bytes = 64, .first = 1, .last = 1, .name = "b"});
  auto plan = planner.Plan();
  ASSERT_TRUE(plan.ok());
  plan->blocks[0].offset = plan->blocks[1].offset;
  EXPECT_THAT(plan->Check().ToString(), HasSubstr("a and b live at once"));
  plan->blocks[0].offset = 1;
  EXPECT_THAT(plan->Check().ToString(), HasSubstr("not aligned"));
}

TEST(MemoryPlan, RefusesImpossibleSizes) {
  MemoryPlanner overflow(64);
  overflow.Add({.bytes = std::numeric_limits<int64_t>::max() - 100, .name = "huge"});
  overflow.Add({.bytes = std::numeric_limits<int64_t>::max() - 100, .name = "huge"});
  EXPECT_EQ(overflow.Plan().status().code(), absl::StatusCode::kResourceExhausted);
  MemoryPlanner negative(64);
  negative.Add({.bytes = -1, .name = "negative"});
  EXPECT_EQ(negative.Plan().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(MemoryPlan, PrintsATable) {
  MemoryPlanner planner(64);
  planner.Add({.bytes = 100, .first = 0, .last = 1, .name = "%7"});
  const auto plan = planner.Plan();
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->ToString(), HasSubstr("arena 128 bytes, lower bound 128 bytes, 1 blocks"));
  EXPECT_THAT(plan->ToString(), HasSubstr("%7"));
}

}  // namespace
}  // namespace tandem
