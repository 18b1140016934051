#include "tandem/backends/vulkan/commands/vulkan_command_buffer.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/device_testing.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VulkanCommandBufferTest : public DeviceTest {
 protected:
  Ref<CommandBuffer> NewCommands(int num_slots) {
    auto commands = device().CreateCommandBuffer(num_slots);
    EXPECT_TRUE(commands.ok()) << commands.status();
    return *std::move(commands);
  }
  // slot 1 = 2 * slot 0 + 1, of n elements, by way of a buffer in the middle.
  Ref<CommandBuffer> Doubling(Buffer& middle, int n) {
    Ref<CommandBuffer> commands = NewCommands(2);
    const BufferView between = BufferView::Of(middle, 0, 4 * n);
    EXPECT_TRUE(Scale(*commands, BufferView::Slot(0, 0, 4 * n), between, 2).ok());
    EXPECT_TRUE(Scale(*commands, between, BufferView::Slot(1, 0, 4 * n), 1, 1).ok());
    EXPECT_TRUE(commands->Finish().ok());
    return commands;
  }
};
INSTANTIATE_TEST_SUITE_P(All, VulkanCommandBufferTest, testing::ValuesIn(kDescriptorVariants),
                         DisableName);

TEST_P(VulkanCommandBufferTest, RunsWithOtherBuffersEachTime) {
  Ref<Buffer> middle = Allocate(256);
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  for (int i = 0; i < 40; ++i) {
    Ref<Buffer> x = Make(Iota(64, i)), y = Make(Iota(64));
    auto point = stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*y)});
    ASSERT_TRUE(point.ok()) << point.status();
    EXPECT_EQ(Read(*y)[10], 2 * (10 + i) + 1);
  }
  auto& recorded = static_cast<VulkanCommandBuffer&>(*commands);
  EXPECT_LE(recorded.num_lists(), VulkanCommandBuffer::kMaxLists);
}

TEST_P(VulkanCommandBufferTest, RecordsOnceForTheSameBindings) {
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64)), y = Make(Iota(64)), z = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  auto& recorded = static_cast<VulkanCommandBuffer&>(*commands);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*y)}).ok());
    ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*z)}).ok());
  }
  EXPECT_EQ(recorded.recordings(), 2);
  EXPECT_EQ(Read(*y)[10], 21);
  EXPECT_EQ(Read(*z)[10], 21);
}

TEST_P(VulkanCommandBufferTest, ManyBindingsRecycleLists) {
  constexpr int kBuffers = 3 * VulkanCommandBuffer::kMaxLists;
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  auto& recorded = static_cast<VulkanCommandBuffer&>(*commands);
  std::vector<Ref<Buffer>> outputs;
  for (int i = 0; i < kBuffers; ++i) outputs.push_back(Make(Iota(64)));
  for (int round = 0; round < 2; ++round) {
    for (const Ref<Buffer>& y : outputs) {
      ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*y)}).ok());
    }
  }
  for (const Ref<Buffer>& y : outputs) EXPECT_EQ(Read(*y)[63], 127);
  EXPECT_EQ(recorded.recordings(), 2 * kBuffers);
  EXPECT_EQ(recorded.num_lists(), VulkanCommandBuffer::kMaxLists);
}

// A loop that reads nothing has fresh outputs at each call. What it runs ahead of the device is
// bounded: outputs, lists, and so the times that it records.
TEST_P(VulkanCommandBufferTest, RunsAheadOfTheDeviceByABoundedPart) {
  constexpr int kCalls = 20 * VulkanCommandBuffer::kMaxLists;
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  auto& recorded = static_cast<VulkanCommandBuffer&>(*commands);
  const int64_t before = device().allocator().stats().bytes_in_use;
  const int64_t output_bytes = std::max<int64_t>(256, device().info().alignment);
  device().allocator().ResetPeak();
  for (int i = 0; i < kCalls; ++i) {
    Ref<Buffer> y = Allocate(256);
    ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*y)}).ok());
  }
  ASSERT_TRUE(stream().Synchronize(stream().Now()).ok());
  const AllocatorStats stats = device().allocator().stats();
  EXPECT_EQ(stats.bytes_in_use, before);
  // Those in flight, and the one that waits for its turn.
  EXPECT_LE(stats.peak_bytes - before, static_cast<int64_t>(kMaxInFlight + 1) * output_bytes);
  EXPECT_LE(recorded.num_lists(), VulkanCommandBuffer::kMaxLists);
  EXPECT_LE(recorded.recordings(), static_cast<int64_t>(VulkanCommandBuffer::kMaxLists));
}

TEST_P(VulkanCommandBufferTest, SlotsThatAreOneBuffer) {
  // Disjoint as slots, the same memory when bound: the barrier must be there.
  Ref<CommandBuffer> commands = NewCommands(4);
  for (int slot = 0; slot < 3; ++slot) {
    ASSERT_TRUE(
        Scale(*commands, BufferView::Slot(slot, 0, 4000), BufferView::Slot(slot + 1, 0, 4000), 1, 1)
            .ok());
  }
  ASSERT_TRUE(commands->Finish().ok());
  Ref<Buffer> a = Make(Iota(1000)), b = Make(Iota(1000));
  const BufferView va = BufferView::Of(*a), vb = BufferView::Of(*b);
  ASSERT_TRUE(stream().Submit(commands, {va, vb, va, vb}).ok());
  EXPECT_EQ(Read(*b), Iota(1000, 3));
  EXPECT_EQ(Read(*a), Iota(1000, 2));
  // In place.
  ASSERT_TRUE(stream().Submit(commands, {va, va, va, va}).ok());
  EXPECT_EQ(Read(*a), Iota(1000, 5));
}

// More than one pool has descriptor sets for, and recorded again into the same list.
TEST_P(VulkanCommandBufferTest, ManySteps) {
  constexpr int kSteps = 300;
  Ref<CommandBuffer> commands = NewCommands(2);
  for (int i = 0; i < kSteps; ++i) {
    ASSERT_TRUE(Scale(*commands, BufferView::Slot(i % 2, 0, 256),
                      BufferView::Slot((i + 1) % 2, 0, 256), 1, 1)
                    .ok());
  }
  ASSERT_TRUE(commands->Finish().ok());
  Ref<Buffer> y = Make(Iota(64));
  for (size_t i = 0; i < VulkanCommandBuffer::kMaxLists + 2; ++i) {
    Ref<Buffer> x = Make(Iota(64, static_cast<int>(i)));
    ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*y)}).ok());
    EXPECT_EQ(Read(*x), Iota(64, static_cast<int>(i) + kSteps));
  }
}

TEST_P(VulkanCommandBufferTest, SlotsWithOffsets) {
  const int64_t unit = device().info().alignment;
  Ref<CommandBuffer> commands = NewCommands(1);
  ASSERT_TRUE(Scale(*commands, BufferView::Slot(0, 0, 8), BufferView::Slot(0, unit, 8), 5).ok());
  ASSERT_TRUE(commands->Copy(BufferView::Slot(0, unit, 4), BufferView::Slot(0, 4, 4)).ok());
  ASSERT_TRUE(commands->Fill(BufferView::Slot(0, 0, 4), 9).ok());
  ASSERT_TRUE(commands->Finish().ok());
  Ref<Buffer> buffer = Allocate(4 * unit);
  ASSERT_TRUE(stream().Fill(BufferView::Of(*buffer), 3).ok());
  const BufferView half = BufferView::Of(*buffer, 2 * unit, 2 * unit);
  ASSERT_TRUE(stream().Submit(commands, {half}).ok());
  const std::vector<int32_t> words = Read(*buffer);
  const size_t u = unit / 4;
  EXPECT_EQ(words[2 * u], 9);
  EXPECT_EQ(words[2 * u + 1], 15);
  EXPECT_EQ(words[3 * u], 15);
  EXPECT_EQ(words[3 * u + 1], 15);
  EXPECT_EQ(words[3 * u + 2], 3);
  EXPECT_EQ(words[0], 3);
}

TEST_P(VulkanCommandBufferTest, RefusesWhatIsWrong) {
  const auto refused = [](const absl::Status& status, const char* text) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), HasSubstr(text));
  };
  refused(device().CreateCommandBuffer(-1).status(), "-1 slots");
  Ref<CommandBuffer> commands = NewCommands(2);
  const BufferView slot0 = BufferView::Slot(0, 0, 256);
  refused(Scale(*commands, slot0, BufferView::Slot(2, 0, 256), 1), "there are 2 slots");
  refused(Scale(*commands, slot0, BufferView::Slot(1, -1, 256), 1), "there are 2 slots");
  refused(commands->Copy(BufferView::Slot(0, 0, 8), BufferView::Slot(0, 4, 8)), "overlap");
  refused(commands->Fill(BufferView::Slot(0, 0, 3), 0), "multiples of four");
  ASSERT_TRUE(Scale(*commands, slot0, BufferView::Slot(1, 0, 256), 1).ok());
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64)), wide = Make(Iota(128));
  const BufferView vx = BufferView::Of(*x), vy = BufferView::Of(*y);
  EXPECT_EQ(stream().Submit(commands, {vx, vy}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(commands->Finish().ok());
  EXPECT_EQ(commands->Finish().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Scale(*commands, slot0, slot0, 1).code(), absl::StatusCode::kFailedPrecondition);
  refused(stream().Submit(commands, {vx}).status(), "nothing is bound to slot 1");
  refused(stream().Submit(commands, {vx, BufferView::Of(*y, 0, 128)}).status(), "needs 256 bytes");
  refused(stream().Submit(commands, {vx, BufferView::Slot(0, 0, 256)}).status(), "slot 0");
  refused(stream().Submit(commands, {vx, BufferView::Of(*wide, 4, 256)}).status(), "multiples of");
  ASSERT_TRUE(stream().Submit(commands, {vx, vy}).ok());
  EXPECT_EQ(Read(*y), Iota(64));
}

TEST_P(VulkanCommandBufferTest, CopiesThatOverlapOnlyWhenBound) {
  Ref<CommandBuffer> commands = NewCommands(2);
  ASSERT_TRUE(commands->Copy(BufferView::Slot(0, 0, 8), BufferView::Slot(1, 0, 8)).ok());
  ASSERT_TRUE(commands->Finish().ok());
  Ref<Buffer> x = Make({1, 2, 3, 4});
  EXPECT_THAT(
      stream().Submit(commands, {BufferView::Of(*x, 0, 8), BufferView::Of(*x, 4, 8)}).status(),
      testing::Property(&absl::Status::message, HasSubstr("overlap")));
  ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x, 0, 8), BufferView::Of(*x, 8, 8)}).ok());
  EXPECT_THAT(Read(*x), ElementsAre(1, 2, 1, 2));
}

TEST_P(VulkanCommandBufferTest, OrderedWithEagerWork) {
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64)), y = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  const BufferView vx = BufferView::Of(*x), vy = BufferView::Of(*y);
  ASSERT_TRUE(Scale(stream(), vx, vx, 1, 7).ok());
  ASSERT_TRUE(stream().Submit(commands, {vx, vy}).ok());
  ASSERT_TRUE(Scale(stream(), vy, vy, 10).ok());
  ASSERT_TRUE(stream().Submit(commands, {vy, vx}).ok());
  EXPECT_EQ(Read(*x)[1], 2 * (10 * (2 * 8 + 1)) + 1);
}

// Replays hold on to nothing: neither lists nor buffers nor submissions.
TEST_P(VulkanCommandBufferTest, TenThousandReplays) {
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64)), y = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  for (int i = 0; i < 10000; ++i) {
    ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*y)}).ok());
  }
  EXPECT_EQ(Read(*y)[63], 127);
  auto& recorded = static_cast<VulkanCommandBuffer&>(*commands);
  EXPECT_EQ(recorded.recordings(), 1);
  EXPECT_EQ(stream().stats().lists, 0);
  EXPECT_EQ(stream().stats().submissions, 10000);
  EXPECT_TRUE(commands->unique());
  EXPECT_TRUE(x->unique());
}

TEST_P(VulkanCommandBufferTest, EightThreadsReplayOne) {
  constexpr int kThreads = 8, kReplays = 50;
  Ref<CommandBuffer> commands = NewCommands(1);
  for (int i = 0; i < 4; ++i) {
    const BufferView slot = BufferView::Slot(0, 0, 4096);
    ASSERT_TRUE(Scale(*commands, slot, slot, 1, 1).ok());
  }
  ASSERT_TRUE(commands->Finish().ok());
  std::vector<Ref<Buffer>> buffers;
  for (int t = 0; t < kThreads; ++t) buffers.push_back(Make(Iota(1024, t)));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // Half of them on streams of their own.
      Ref<VulkanStream> own = NewStream();
      VulkanStream& on = t % 2 == 0 ? stream() : *own;
      for (int i = 0; i < kReplays; ++i) {
        auto point = on.Submit(commands, {BufferView::Of(*buffers[t])});
        EXPECT_TRUE(point.ok()) << point.status();
        if (i % 16 == 0) {
          EXPECT_TRUE(on.Synchronize(*point).ok());
        }
      }
      EXPECT_TRUE(on.Synchronize(on.Now()).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(Read(*buffers[t]), Iota(1024, t + 4 * kReplays));
}

// The layer gives every VkBuffer a handle of its own, drivers do not.
class RecycledHandlesTest : public VulkanCommandBufferTest {
 protected:
  void SetOptions() override { ASSERT_TRUE(Set("validation", "off").ok()); }
};
INSTANTIATE_TEST_SUITE_P(All, RecycledHandlesTest, testing::ValuesIn(kDescriptorVariants),
                         DisableName);

// A list that is kept names a VkBuffer; another one may get its handle.
TEST_P(RecycledHandlesTest, MemoryThatWasGivenBackIsNotTakenForItsSuccessor) {
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  for (int i = 0; i < 4; ++i) {
    Ref<Buffer> y = Allocate(int64_t{100} << 20);  // a block of its own
    ASSERT_TRUE(stream().Submit(commands, {BufferView::Of(*x), BufferView::Of(*y)}).ok());
    ASSERT_TRUE(stream().Synchronize(stream().Now()).ok());
    std::vector<int32_t> head(64);
    std::memcpy(head.data(), *y->Map(), 256);
    EXPECT_EQ(head[10], 21);
    y = nullptr;
    device().allocator().Trim();
    EXPECT_EQ(static_cast<VulkanCommandBuffer&>(*commands).recordings(), i + 1);
  }
}

TEST_P(VulkanCommandBufferTest, FailedCreationsAreStatuses) {
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64)), y = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  const BufferView bindings[] = {BufferView::Of(*x), BufferView::Of(*y)};
  for (int k = 1; k <= 3; ++k) {
    ASSERT_TRUE(Set("fail_allocation", std::to_string(k)).ok());
    const auto point = stream().Submit(commands, bindings);
    EXPECT_TRUE(point.ok() || absl::IsResourceExhausted(point.status())) << point.status();
  }
  ASSERT_TRUE(Set("fail_allocation", "0").ok());
  ASSERT_TRUE(stream().Submit(commands, bindings).ok());
  EXPECT_EQ(Read(*y)[10], 21);
}

TEST_P(VulkanCommandBufferTest, FailedSubmissionsLeaveTheStreamUsable) {
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64)), y = Make(Iota(64)), z = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  const BufferView bindings[] = {BufferView::Of(*x), BufferView::Of(*y)};
  ASSERT_TRUE(stream().Submit(commands, bindings).ok());  // has the list recorded
  ASSERT_TRUE(stream().Synchronize(stream().Now()).ok());
  const auto fail = [&](const char* fault) {
    EXPECT_TRUE(Set("fail_allocation", fault).ok());
    EXPECT_EQ(stream().Submit(commands, bindings).status().code(),
              absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(Set("fail_allocation", "0").ok());
    EXPECT_TRUE(z->unique());
  };
  // The caller's work alone: he knows.
  const uint64_t before = stream().Now().value;
  fail("1+");
  EXPECT_EQ(stream().Now().value, before);
  EXPECT_TRUE(stream().Synchronize(stream().Now()).ok());
  // With work that others may have recorded: vkEndCommandBuffer of it fails, or vkQueueSubmit.
  for (const char* fault : {"1+", "2+"}) {
    SCOPED_TRACE(fault);
    ASSERT_TRUE(Scale(stream(), *z, *x, 7).ok());
    fail(fault);
    ASSERT_TRUE(stream().Submit(commands, bindings).ok());
    EXPECT_EQ(stream().Synchronize(stream().Now()).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(Read(*y)[10], 21);
    EXPECT_EQ(Read(*x)[10], 10);
  }
}

TEST_P(VulkanCommandBufferTest, DeviceLost) {
  Ref<Buffer> middle = Allocate(256), x = Make(Iota(64)), y = Make(Iota(64));
  Ref<CommandBuffer> commands = Doubling(*middle, 64);
  const BufferView bindings[] = {BufferView::Of(*x), BufferView::Of(*y)};
  ASSERT_TRUE(stream().Submit(commands, bindings).ok());
  ASSERT_TRUE(Set("lose_device", "1").ok());
  EXPECT_EQ(stream().Submit(commands, bindings).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tandem::vulkan_backend
