#include "tandem/backends/vulkan/memory/range_allocator.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <random>

#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

TEST(RangeAllocatorTest, RoundsUpToTheGranule) {
  RangeAllocator ranges(1024, 64);
  auto a = ranges.Allocate(1);
  auto b = ranges.Allocate(65);
  ASSERT_TRUE(a.has_value() && b.has_value());
  EXPECT_EQ(a->size, 64);
  EXPECT_EQ(b->size, 128);
  EXPECT_EQ(ranges.used(), 192);
  EXPECT_EQ(ranges.LargestFree(), 1024 - 192);
}

TEST(RangeAllocatorTest, TakesAllAndNothingMore) {
  RangeAllocator ranges(1000, 64);  // 15 granules and a rest
  EXPECT_EQ(ranges.size(), 960);
  auto all = ranges.Allocate(960);
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->offset, 0);
  EXPECT_EQ(ranges.LargestFree(), 0);
  EXPECT_FALSE(ranges.Allocate(1).has_value());
  ranges.Free(all->node);
  EXPECT_TRUE(ranges.empty());
  EXPECT_FALSE(ranges.Allocate(961).has_value());
  EXPECT_EQ(ranges.LargestFree(), 960);
}

TEST(RangeAllocatorTest, PrefersTheTightestHole) {
  RangeAllocator ranges(64 * 100, 64);
  auto first = ranges.Allocate(64 * 10);
  auto wall = ranges.Allocate(64);
  auto second = ranges.Allocate(64 * 5);
  auto other_wall = ranges.Allocate(64);
  ASSERT_TRUE(first && wall && second && other_wall);
  ranges.Free(first->node);
  ranges.Free(second->node);
  auto tight = ranges.Allocate(64 * 5);
  ASSERT_TRUE(tight.has_value());
  EXPECT_EQ(tight->offset, second->offset);
}

TEST(RangeAllocatorTest, MergesBothNeighbours) {
  RangeAllocator ranges(64 * 3, 64);
  auto a = ranges.Allocate(64);
  auto b = ranges.Allocate(64);
  auto c = ranges.Allocate(64);
  ASSERT_TRUE(a && b && c);
  ranges.Free(a->node);
  ranges.Free(c->node);
  EXPECT_EQ(ranges.LargestFree(), 64);
  ranges.Free(b->node);
  EXPECT_EQ(ranges.LargestFree(), 192);
  EXPECT_TRUE(ranges.Allocate(192).has_value());
}

TEST(RangeAllocatorTest, EmptyBlock) {
  RangeAllocator ranges(10, 64);
  EXPECT_EQ(ranges.size(), 0);
  EXPECT_EQ(ranges.LargestFree(), 0);
  EXPECT_FALSE(ranges.Allocate(1).has_value());
}

// Against a map of the ranges in use: none overlap, all free space is merged, a request fails only
// if there is no hole that is large enough.
class RandomRangesTest : public testing::TestWithParam<int> {};

TEST_P(RandomRangesTest, AgreesWithTheModel) {
  std::mt19937 random(GetParam());
  const int64_t granule = int64_t{1} << (4 + GetParam() % 5);
  const int64_t size = granule * (1 + random() % 3000);
  RangeAllocator ranges(size, granule);
  std::map<int64_t, RangeAllocator::Range> used;  // by offset
  int64_t used_bytes = 0;
  // The largest gap between used ranges.
  const auto largest_gap = [&] {
    int64_t largest = 0;
    int64_t end = 0;
    for (const auto& [offset, range] : used) {
      largest = std::max(largest, offset - end);
      end = offset + range.size;
    }
    return std::max(largest, size - end);
  };
  for (int step = 0; step < 3000; ++step) {
    const bool allocate = used.empty() || random() % 100 < 55;
    if (allocate) {
      // Sizes over several powers of two.
      const int64_t bytes = 1 + random() % (granule << (random() % 9));
      const int64_t gap = largest_gap();
      const auto range = ranges.Allocate(bytes);
      if (!range.has_value()) {
        EXPECT_LT(gap, bytes);
        continue;
      }
      EXPECT_EQ(range->offset % granule, 0);
      EXPECT_EQ(range->size, (bytes + granule - 1) / granule * granule);
      EXPECT_GE(range->offset, 0);
      EXPECT_LE(range->offset + range->size, size);
      const auto after = used.lower_bound(range->offset);
      if (after != used.end()) {
        EXPECT_LE(range->offset + range->size, after->first);
      }
      if (after != used.begin()) {
        const auto before = std::prev(after);
        EXPECT_LE(before->first + before->second.size, range->offset);
      }
      used_bytes += range->size;
      used.emplace(range->offset, *range);
    } else {
      auto victim = used.begin();
      std::advance(victim, random() % used.size());
      used_bytes -= victim->second.size;
      ranges.Free(victim->second.node);
      used.erase(victim);
    }
    ASSERT_EQ(ranges.used(), used_bytes);
    ASSERT_EQ(ranges.LargestFree(), largest_gap());
    ASSERT_FALSE(HasFailure()) << "step " << step;
  }
  for (const auto& [offset, range] : used) ranges.Free(range.node);
  EXPECT_TRUE(ranges.empty());
  EXPECT_EQ(ranges.LargestFree(), size);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRangesTest, testing::Range(0, 20));

}  // namespace
}  // namespace tandem::vulkan_backend
