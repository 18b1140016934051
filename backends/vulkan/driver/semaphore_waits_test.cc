#include "tandem/backends/vulkan/driver/semaphore_waits.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;

constexpr uint64_t kA = 1, kB = 2;

SemaphoreValue Value(uint64_t value) { return {VK_NULL_HANDLE, value}; }
auto Is(uint64_t value) { return Field(&SemaphoreValue::value, value); }

TEST(SemaphoreWaitsTest, TheLargestValueOfEachTimeline) {
  SemaphoreWaits waits;
  EXPECT_TRUE(waits.empty());
  EXPECT_TRUE(waits.Add(kA, Value(5)));
  EXPECT_TRUE(waits.Add(kB, Value(3)));
  EXPECT_FALSE(waits.Add(kA, Value(5)));
  EXPECT_FALSE(waits.Add(kA, Value(4)));
  EXPECT_TRUE(waits.Add(kA, Value(7)));
  EXPECT_THAT(waits.pending(), ElementsAre(Is(7), Is(3)));
}

TEST(SemaphoreWaitsTest, NothingTwice) {
  SemaphoreWaits waits;
  waits.Add(kA, Value(5));
  waits.Submitted();
  EXPECT_TRUE(waits.empty());
  EXPECT_FALSE(waits.Add(kA, Value(5)));
  EXPECT_FALSE(waits.Add(kA, Value(1)));
  EXPECT_TRUE(waits.Add(kB, Value(1)));
  EXPECT_TRUE(waits.Add(kA, Value(6)));
  waits.Submitted();
  EXPECT_FALSE(waits.Add(kA, Value(6)));
}

TEST(SemaphoreWaitsTest, TheStartOfATimelineIsReached) {
  SemaphoreWaits waits;
  EXPECT_FALSE(waits.Add(kA, Value(0)));
  EXPECT_TRUE(waits.empty());
}

TEST(SemaphoreWaitsTest, WhatWasNotSubmittedIsNotImplied) {
  SemaphoreWaits waits;
  waits.Add(kA, Value(5));
  waits.Clear();
  EXPECT_THAT(waits.pending(), IsEmpty());
  EXPECT_TRUE(waits.Add(kA, Value(5)));
}

TEST(SemaphoreWaitsTest, RemembersFewTimelinesAndForgetsOnTheSafeSide) {
  SemaphoreWaits waits;
  constexpr uint64_t kMany = 100;
  for (uint64_t id = 1; id <= kMany; ++id) {
    EXPECT_TRUE(waits.Add(id, Value(9)));
    waits.Submitted();
  }
  for (uint64_t id = 1; id <= kMany - SemaphoreWaits::kMaxRemembered; ++id) {
    EXPECT_TRUE(waits.Add(id, Value(9))) << id;
  }
  for (uint64_t id = kMany - SemaphoreWaits::kMaxRemembered + 1; id <= kMany; ++id) {
    EXPECT_FALSE(waits.Add(id, Value(9))) << id;
  }
}

}  // namespace
}  // namespace tandem::vulkan_backend
