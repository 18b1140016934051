#include "tandem/backends/vulkan/commands/hazards.h"

#include <bitset>
#include <random>

#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

MemoryAccess Reads(uint64_t buffer, uint64_t begin, uint64_t end) {
  return {buffer, begin, end, true, false};
}
MemoryAccess Writes(uint64_t buffer, uint64_t begin, uint64_t end) {
  return {buffer, begin, end, false, true};
}

TEST(HazardTracker, ReadAfterWrite) {
  HazardTracker tracker;
  tracker.Add({Writes(1, 0, 64)});
  EXPECT_TRUE(tracker.Conflicts({Reads(1, 0, 64)}));
  EXPECT_TRUE(tracker.Conflicts({Reads(1, 63, 65)}));
  EXPECT_FALSE(tracker.Conflicts({Reads(1, 64, 128)}));
  EXPECT_FALSE(tracker.Conflicts({Reads(2, 0, 64)}));
}

TEST(HazardTracker, WriteAfterReadAndWrite) {
  HazardTracker tracker;
  tracker.Add({Reads(1, 0, 64), Writes(2, 0, 64)});
  EXPECT_TRUE(tracker.Conflicts({Writes(1, 10, 11)}));
  EXPECT_TRUE(tracker.Conflicts({Writes(2, 10, 11)}));
  EXPECT_FALSE(tracker.Conflicts({Reads(1, 10, 11)}));
}

TEST(HazardTracker, AnyOfTheAccessesCounts) {
  HazardTracker tracker;
  tracker.Add({Writes(7, 100, 200)});
  EXPECT_TRUE(tracker.Conflicts({Reads(1, 0, 1000), Reads(7, 150, 151)}));
}

TEST(HazardTracker, ClearForgets) {
  HazardTracker tracker;
  tracker.Add({Reads(1, 0, 64), Writes(2, 0, 64)});
  tracker.Clear();
  EXPECT_FALSE(tracker.Conflicts({Writes(1, 0, 64), Writes(2, 0, 64)}));
}

TEST(HazardTracker, EmptyRangesAndUnusedBindingsTouchNothing) {
  HazardTracker tracker;
  tracker.Add({Writes(1, 32, 32), MemoryAccess{1, 0, 64, false, false}});
  EXPECT_FALSE(tracker.Conflicts({Writes(1, 0, 64)}));
  tracker.Add({Writes(1, 0, 64)});
  EXPECT_FALSE(tracker.Conflicts({Writes(1, 32, 32), MemoryAccess{1, 0, 64, false, false}}));
}

TEST(RangeSet, MergesWhatOverlapsOrTouches) {
  RangeSet set;
  set.Insert(1, 0, 10);
  set.Insert(1, 20, 30);
  set.Insert(2, 10, 20);
  EXPECT_EQ(set.size(), 3u);
  set.Insert(1, 10, 20);
  EXPECT_EQ(set.size(), 2u);
  EXPECT_TRUE(set.Intersects(1, 5, 25));
  EXPECT_FALSE(set.Intersects(1, 30, 40));
  EXPECT_FALSE(set.Intersects(2, 0, 10));
}

// Against one bit for each byte.
TEST(RangeSet, SameAsBits) {
  constexpr int kBytes = 256;
  std::mt19937 rng(1);
  for (int round = 0; round < 200; ++round) {
    RangeSet set;
    std::bitset<kBytes> bits[3];
    for (int step = 0; step < 40; ++step) {
      const int buffer = rng() % 3;
      const int begin = rng() % kBytes;
      const int end = std::min<int>(kBytes, begin + rng() % 24);
      bool expected = false;
      for (int i = begin; i < end; ++i) expected |= bits[buffer][i];
      ASSERT_EQ(set.Intersects(buffer, begin, end), expected);
      if (rng() % 2 == 0) {
        set.Insert(buffer, begin, end);
        for (int i = begin; i < end; ++i) bits[buffer].set(i);
      }
    }
  }
}

}  // namespace
}  // namespace tandem::vulkan_backend
