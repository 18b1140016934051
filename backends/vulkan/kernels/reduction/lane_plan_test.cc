#include "tandem/backends/vulkan/kernels/reduction/lane_plan.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::vulkan_backend {
namespace {

Capabilities Gpu() {
  Capabilities c;
  c.subgroups = true;
  c.subgroup_size = 32;
  c.max_workgroup_invocations = 1024;
  return c;
}

Capabilities Software() {
  Capabilities c = Gpu();
  c.subgroup_size = 8;
  c.is_cpu = true;
  return c;
}

void CheckInvariants(const LanePlan& plan, const Capabilities& c, int64_t count) {
  EXPECT_TRUE(std::has_single_bit(plan.group));
  EXPECT_TRUE(std::has_single_bit(plan.lanes));
  EXPECT_LE(plan.lanes, plan.group);
  EXPECT_LE(plan.group, c.max_workgroup_invocations);
  // A lane without an element is never more than one of two.
  EXPECT_LT(plan.lanes / 2, std::max<int64_t>(count, 1));
  if (plan.subgroups) {
    EXPECT_TRUE(c.subgroups);
    EXPECT_FALSE(plan.columns);
    EXPECT_EQ(plan.group % c.subgroup_size, 0);
  }
  for (int64_t items : {0, 1, 7, 1000, 100000000}) {
    const auto grid = plan.Grid(items, 3);
    EXPECT_GE(int64_t{grid[0]} * grid[1] * plan.items(), items);
    EXPECT_LE(grid[0], 65535);
    EXPECT_LE(grid[1], 65535);
    EXPECT_EQ(grid[2], 3);
    const int64_t parts = plan.PartsFor(c, items, count);
    ASSERT_GE(parts, 1);
    ASSERT_LE(parts, c.is_cpu ? 65535 : 256);
    if (parts > 1) {
      // No part is empty.
      const int64_t of_part = (count + parts - 1) / parts;
      EXPECT_LT((parts - 1) * of_part, count);
    }
  }
}

TEST(LanePlanTest, EverySizeOnEveryDevice) {
  Capabilities small = Gpu();
  small.max_workgroup_invocations = 128;
  small.subgroups = false;
  Capabilities wide = Gpu();
  wide.subgroup_size = 128;
  for (const Capabilities& c : {Gpu(), Software(), small, wide}) {
    for (int64_t count : {0, 1, 2, 7, 63, 64, 65, 1000, 5000, 1 << 20, 2147483647}) {
      CheckInvariants(LanePlan::ForRows(c, count), c, count);
      CheckInvariants(LanePlan::ForRows(c, count, true), c, count);
      for (int64_t adjacent : {1, 3, 64, 5000}) {
        CheckInvariants(LanePlan::ForColumns(c, count, adjacent), c, count);
      }
    }
  }
}

TEST(LanePlanTest, ShortRowsShareAGroupAndLongOnesFillIt) {
  EXPECT_EQ(LanePlan::ForRows(Gpu(), 4).lanes, 1);
  EXPECT_EQ(LanePlan::ForRows(Gpu(), 10).lanes, 4);
  EXPECT_EQ(LanePlan::ForRows(Gpu(), 10).items(), 64);
  EXPECT_EQ(LanePlan::ForRows(Gpu(), 1000).lanes, 256);
  EXPECT_EQ(LanePlan::ForRows(Gpu(), 50000).lanes, 256);
  EXPECT_EQ(LanePlan::ForRows(Gpu(), 50000, true).lanes, 1024);
  EXPECT_FALSE(LanePlan::ForRows(Gpu(), 4).subgroups);
  EXPECT_TRUE(LanePlan::ForRows(Gpu(), 10).subgroups);
}

TEST(LanePlanTest, ColumnsAreReadTogether) {
  const LanePlan wide = LanePlan::ForColumns(Gpu(), 1000, 512);
  EXPECT_EQ(wide.items(), 32);
  EXPECT_EQ(wide.lanes, 8);
  const LanePlan narrow = LanePlan::ForColumns(Gpu(), 1000, 3);
  EXPECT_EQ(narrow.items(), 4);
  EXPECT_EQ(LanePlan::ForColumns(Gpu(), 8, 512).lanes, 1);
}

// A software driver's loops end after 65,535 iterations.
TEST(LanePlanTest, LongLoopsOfSoftwareDriversAreCut) {
  const int64_t count = 10'000'000;
  const LanePlan rows = LanePlan::ForRows(Software(), count);
  EXPECT_LE(count / rows.PartsFor(Software(), 1000, count) / rows.lanes, 65535 / 16);
  AxisGeometry axis;
  axis.outer = 1;
  axis.size = count;
  for (const int64_t inner : {1, 33}) {
    axis.inner = inner;
    const LanePlan lines = LanePlan::ForLines(Software(), axis);
    EXPECT_EQ(lines.lanes, 1024);
    EXPECT_TRUE(lines.CheckLines(Software(), "softmax", count).ok());
    EXPECT_TRUE(absl::IsResourceExhausted(lines.CheckLines(Software(), "softmax", 3 * count)));
    EXPECT_TRUE(lines.CheckLines(Gpu(), "softmax", 3 * count).ok());
  }
}

TEST(LanePlanTest, FewLongOnesAreCut) {
  const LanePlan plan = LanePlan::ForRows(Gpu(), 1 << 24);
  EXPECT_EQ(plan.PartsFor(Gpu(), 1, 1 << 24), 256);
  EXPECT_EQ(plan.PartsFor(Gpu(), 64, 1 << 24), 4);
  EXPECT_EQ(plan.PartsFor(Gpu(), 256, 1 << 24), 1);
  EXPECT_EQ(plan.PartsFor(Gpu(), 1, 1000), 1);
  EXPECT_EQ(plan.PartsFor(Gpu(), 0, 1000), 1);
}

}  // namespace
}  // namespace tandem::vulkan_backend
