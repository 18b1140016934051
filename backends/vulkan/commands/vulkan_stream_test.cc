#include "tandem/backends/vulkan/commands/vulkan_stream.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/device_testing.h"
#include "tandem/core/device/test_device.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VulkanStreamTest : public DeviceTest {};

// Has failed: every point is reached, and only Synchronize says what became of the work.
class FailedStream : public TestStream {
 public:
  absl::Status Synchronize(const TimelinePoint&) override { return absl::DataLossError("gone"); }
};
INSTANTIATE_TEST_SUITE_P(All, VulkanStreamTest, testing::ValuesIn(kDescriptorVariants),
                         DisableName);

TEST_P(VulkanStreamTest, DispatchCopyFill) {
  Ref<Buffer> x = Make({1, 2, 3, 4}), y = Make({0, 0, 0, 0}), z = Make({0, 0, 0, 0});
  ASSERT_TRUE(Scale(stream(), *x, *y, 3, 1).ok());
  ASSERT_TRUE(stream().Copy(BufferView::Of(*y, 4, 8), BufferView::Of(*z, 8, 8)).ok());
  ASSERT_TRUE(stream().Fill(BufferView::Of(*z, 4, 4), 42).ok());
  EXPECT_THAT(Read(*y), ElementsAre(4, 7, 10, 13));
  EXPECT_THAT(Read(*z), ElementsAre(0, 42, 7, 10));
}

TEST_P(VulkanStreamTest, CopiesOfAnyNumberOfBytes) {
  Ref<Buffer> x = Make({0x04030201, 0x08070605}), y = Make({0, 0});
  ASSERT_TRUE(stream().Copy(BufferView::Of(*x, 1, 3), BufferView::Of(*y, 2, 3)).ok());
  EXPECT_THAT(Read(*y), ElementsAre(0x03020000, 0x04));
}

TEST_P(VulkanStreamTest, BarriersOnlyWhereRangesConflict) {
  constexpr int kChain = 10;
  std::vector<Ref<Buffer>> chain = {Make(Iota(100))};
  std::vector<Ref<Buffer>> wide;
  for (int i = 0; i < kChain; ++i) {
    chain.push_back(Make(Iota(100)));
    wide.push_back(Make(Iota(100)));
  }
  // Independent of each other, all reading one buffer: none.
  for (int i = 0; i < kChain; ++i) ASSERT_TRUE(Scale(stream(), *chain[0], *wide[i], i).ok());
  EXPECT_EQ(stream().stats().barriers, 0);
  // Halves of one buffer: none.
  Ref<Buffer> halves = Allocate(2048);
  ASSERT_TRUE(stream().Fill(BufferView::Of(*halves, 0, 1024), 1).ok());
  ASSERT_TRUE(stream().Fill(BufferView::Of(*halves, 1024, 1024), 2).ok());
  EXPECT_EQ(stream().stats().barriers, 0);
  // A chain: one between any two.
  for (int i = 0; i < kChain; ++i)
    ASSERT_TRUE(Scale(stream(), *chain[i], *chain[i + 1], 1, 1).ok());
  EXPECT_LE(stream().stats().barriers, kChain - 1);
  // Write after read.
  const int64_t before = stream().stats().barriers;
  ASSERT_TRUE(Scale(stream(), *wide[0], *chain[kChain - 1], 1).ok());
  EXPECT_EQ(stream().stats().barriers, before + 1);
  EXPECT_EQ(Read(*chain[kChain]), Iota(100, kChain));
  EXPECT_THAT(Read(*halves)[300], 2);
}

TEST_P(VulkanStreamTest, LongEagerChain) {
  Ref<Buffer> a = Make(Iota(1000)), b = Make(Iota(1000));
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(Scale(stream(), *a, *b, 1, 1).ok());
    std::swap(a, b);
  }
  EXPECT_EQ(Read(*a), Iota(1000, 500));
  const VulkanStream::Stats stats = stream().stats();
  EXPECT_EQ(stats.commands, 500);
  EXPECT_GE(stats.submissions, 5);
  EXPECT_LE(stats.lists, static_cast<int64_t>(kMaxInFlight) + 1);
}

TEST_P(VulkanStreamTest, KeepsBuffersOfPendingWork) {
  Ref<Buffer> y = Make(Iota(64));
  {
    Ref<Buffer> x = Make(Iota(64, 5));
    ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
  }
  Ref<Buffer> other = Make(std::vector<int32_t>(64, -1));  // would take the place of x
  EXPECT_EQ(Read(*y)[63], 2 * 68);
  // What is done is let go: y and other are left.
  EXPECT_TRUE(y->unique());
}

TEST_P(VulkanStreamTest, PointsAreReachedWithoutAnExplicitFlush) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  EXPECT_TRUE(stream().Reached(stream().Now()));
  EXPECT_TRUE(stream().Reached({}));
  ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
  const TimelinePoint point = stream().Now();
  while (!stream().Reached(point)) std::this_thread::yield();
  EXPECT_EQ(Read(*y)[3], 6);
  EXPECT_EQ(stream().Synchronize({&stream(), point.value + 1}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(VulkanStreamTest, StreamsWaitForEachOther) {
  Ref<VulkanStream> a = NewStream(), b = NewStream();
  Ref<Buffer> x = Make(Iota(256)), y = Make(Iota(256));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Scale(*a, *x, *y, 1, 1).ok());
    ASSERT_TRUE(b->WaitFor(a->Now()).ok());
    ASSERT_TRUE(Scale(*b, *y, *x, 1, 1).ok());
    ASSERT_TRUE(a->WaitFor(b->Now()).ok());
  }
  // A point behind a wait and no work of its own stands for what was waited for.
  ASSERT_TRUE(stream().WaitFor(a->Now()).ok());
  EXPECT_EQ(Read(*x), Iota(256, 40));
}

// Streams end right behind the work of others that waited for them. New ones count on from there.
TEST_P(VulkanStreamTest, StreamsComeAndGo) {
  Ref<Buffer> x = Make(Iota(256)), y = Make(Iota(256));
  constexpr int kRounds = 300;
  for (int i = 0; i < kRounds; ++i) {
    Ref<VulkanStream> a = NewStream(), b = NewStream();
    EXPECT_TRUE(a->Reached(a->Now()));
    ASSERT_TRUE(Scale(*a, *x, *y, 1, 1).ok());
    ASSERT_TRUE(b->WaitFor(a->Now()).ok());
    ASSERT_TRUE(Scale(*b, *y, *x, 1, 1).ok());
    const TimelinePoint done = b->Now();
    ASSERT_TRUE(b->Synchronize(done).ok());
    EXPECT_TRUE(b->Reached(done));
  }
  EXPECT_EQ(Read(*x), Iota(256, 2 * kRounds));
}

TEST_P(VulkanStreamTest, WaitsForOtherDevicesOnTheHost) {
  TestDevice other;
  EXPECT_TRUE(stream().WaitFor(other.default_stream().Now()).ok());
  EXPECT_TRUE(stream().WaitFor({}).ok());
  EXPECT_TRUE(stream().WaitFor(stream().Now()).ok());
  const Ref<FailedStream> failed = MakeRef<FailedStream>();
  EXPECT_EQ(stream().WaitFor(failed->Now()).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(stream().Synchronize(failed->Now()).code(), absl::StatusCode::kDataLoss);
}

TEST_P(VulkanStreamTest, EightThreadsOnOneStream) {
  constexpr int kThreads = 8, kSteps = 100;
  std::vector<Ref<Buffer>> x, y;
  for (int t = 0; t < kThreads; ++t) {
    x.push_back(Make(Iota(64, t)));
    y.push_back(Make(Iota(64, t)));
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kSteps; ++i) {
        EXPECT_TRUE(Scale(stream(), *x[t], *y[t], 1, 1).ok());
        EXPECT_TRUE(Scale(stream(), *y[t], *x[t], 1, 1).ok());
      }
      EXPECT_TRUE(stream().Synchronize(stream().Now()).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(Read(*x[t]), Iota(64, t + 2 * kSteps));
}

TEST_P(VulkanStreamTest, RefusesWhatTheDeviceCannot) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  const auto refused = [](const absl::Status& status, const char* text) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), HasSubstr(text));
  };
  const Ref<const VulkanProgram> program = ScaleProgram();
  const ScaleConstants constants{64, 1};
  const BufferView views[] = {BufferView::Of(*x), BufferView::Of(*y)};
  Dispatch dispatch{.program = program.get(),
                    .bindings = views,
                    .reads = 1,
                    .writes = 2,
                    .constants = BytesOf(constants),
                    .grid = {1, 1, 65536}};
  refused(stream().Record(dispatch), "65535");
  dispatch.grid = {1, 1, 1};
  dispatch.bindings = absl::MakeConstSpan(views, 1);
  refused(stream().Record(dispatch), "1 buffers");
  dispatch.bindings = views;
  dispatch.constants = dispatch.constants.first(4);
  refused(stream().Record(dispatch), "bytes of constants");
  refused(stream().Record({}), "no program");
  const BufferView whole = BufferView::Of(*x);
  refused(Scale(stream(), BufferView::Of(*x, 4, 64), whole, 1), "multiples of");
  refused(Scale(stream(), BufferView::Of(*x, 0, 260), whole, 1), "a buffer of 256 bytes");
  refused(Scale(stream(), BufferView::Of(*x, -4, 4), whole, 1), "a buffer of 256 bytes");
  refused(Scale(stream(), BufferView::Slot(0, 0, 4), whole, 1), "slots exist in command buffers");
  refused(Scale(stream(), BufferView{}, whole, 1), "missing");
  refused(stream().Copy(BufferView::Of(*x, 0, 8), BufferView::Of(*x, 4, 8)), "overlap");
  refused(stream().Copy(BufferView::Of(*x, 0, 8), BufferView::Of(*y, 4, 4)), "must be equal");
  refused(stream().Fill(BufferView::Of(*x, 2, 4), 0), "multiples of four");
  refused(stream().Submit(nullptr, {}).status(), "no command buffer");
  TestDevice other;
  Ref<Buffer> elsewhere = *other.allocator().Allocate(256);
  refused(Scale(stream(), BufferView::Of(*elsewhere), whole, 1), "copy it to vulkan:0");
  // Nothing of it was recorded.
  EXPECT_EQ(stream().stats().commands, 0);
}

TEST_P(VulkanStreamTest, NothingToDo) {
  Ref<Buffer> x = Make(Iota(64)), empty = Allocate(0);
  ASSERT_TRUE(stream().Copy(BufferView::Of(*x, 0, 0), BufferView::Of(*empty)).ok());
  ASSERT_TRUE(stream().Fill(BufferView::Of(*empty), 7).ok());
  EXPECT_EQ(stream().stats().commands, 0);
  // An empty operand beside others.
  const Ref<const VulkanProgram> program = ScaleProgram();
  const BufferView views[] = {BufferView::Of(*empty), BufferView::Of(*x)};
  const ScaleConstants constants{0, 1};
  Dispatch dispatch{.program = program.get(),
                    .bindings = views,
                    .reads = 1,
                    .writes = 2,
                    .constants = BytesOf(constants),
                    .grid = {1, 1, 1}};
  ASSERT_TRUE(stream().Record(dispatch).ok());
  dispatch.grid = {0, 1, 1};
  ASSERT_TRUE(stream().Record(dispatch).ok());
  EXPECT_EQ(stream().stats().commands, 1);
  EXPECT_EQ(Read(*x), Iota(64));
}

TEST_P(VulkanStreamTest, DeviceLost) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
  const TimelinePoint submitted = stream().Now();
  ASSERT_TRUE(stream().Flush().ok());
  ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
  ASSERT_TRUE(Set("lose_device", "1").ok());
  const TimelinePoint open = stream().Now();
  EXPECT_EQ(stream().Synchronize(submitted).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stream().Synchronize(open).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Scale(stream(), *x, *y, 2).code(), absl::StatusCode::kUnavailable);
  // Nobody waits for ever.
  EXPECT_TRUE(stream().Reached(open));
  EXPECT_TRUE(stream().Reached(submitted));
}

TEST_P(VulkanStreamTest, FailedCreationsLeaveTheStreamUsable) {
  for (int k = 1; k <= 8; ++k) {
    SCOPED_TRACE(k);
    Ref<VulkanStream> fresh = NewStream();
    Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
    // The program is there; its pipeline may be among what fails.
    const Ref<const VulkanProgram> program = ScaleProgram(100 + k);
    ASSERT_TRUE(Set("fail_allocation", std::to_string(k)).ok());
    absl::Status status = Scale(*fresh, *x, *y, 2, 100 + k);
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    ASSERT_TRUE(Set("fail_allocation", "0").ok());
    if (!status.ok()) {
      ASSERT_TRUE(Scale(*fresh, *x, *y, 2, 100 + k).ok());
    }
    ASSERT_TRUE(fresh->Synchronize(fresh->Now()).ok());
    EXPECT_EQ(Read(*y)[5], 110 + k);
  }
}

// The k-th creation of these and all after it fail: vkEndCommandBuffer, or vkQueueSubmit twice.
constexpr const char* kFailingSubmissions[] = {"1+", "2+"};

TEST_P(VulkanStreamTest, AWaitThatCannotSubmitTellsOnce) {
  for (const char* fault : kFailingSubmissions) {
    SCOPED_TRACE(fault);
    Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
    ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
    const TimelinePoint point = stream().Now();
    ASSERT_TRUE(Set("fail_allocation", fault).ok());
    EXPECT_EQ(stream().Synchronize(point).code(), absl::StatusCode::kResourceExhausted);
    ASSERT_TRUE(Set("fail_allocation", "0").ok());
    EXPECT_TRUE(x->unique());
    EXPECT_TRUE(stream().Reached(point));
    EXPECT_TRUE(stream().Synchronize(point).ok());
    EXPECT_EQ(Read(*y)[5], 5);
    ASSERT_TRUE(Scale(stream(), *x, *y, 3).ok());
    EXPECT_EQ(Read(*y)[5], 15);
  }
}

TEST_P(VulkanStreamTest, LostWorkIsToldAgainByTheNextWait) {
  for (const char* fault : kFailingSubmissions) {
    SCOPED_TRACE(fault);
    Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
    const TimelinePoint before = stream().Now();
    ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
    const TimelinePoint point = stream().Now();
    ASSERT_TRUE(Set("fail_allocation", fault).ok());
    EXPECT_EQ(stream().Flush().code(), absl::StatusCode::kResourceExhausted);
    ASSERT_TRUE(Set("fail_allocation", "0").ok());
    EXPECT_TRUE(x->unique());
    EXPECT_TRUE(stream().Reached(point));
    ASSERT_TRUE(Scale(stream(), *x, *y, 3).ok());
    const TimelinePoint later = stream().Now();
    EXPECT_GT(later.value, point.value);
    EXPECT_TRUE(stream().Synchronize(before).ok());
    // For the allocator, which does not report.
    EXPECT_TRUE(VulkanStream::DrainAll(*device().context()));
    const absl::Status lost = stream().Synchronize(later);
    EXPECT_EQ(lost.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(lost.message(), HasSubstr("is lost"));
    EXPECT_TRUE(stream().Synchronize(later).ok());
    EXPECT_TRUE(stream().Synchronize(point).ok());
    EXPECT_EQ(Read(*y)[5], 15);
  }
}

TEST_P(VulkanStreamTest, OtherStreamsAreToldOfLostWork) {
  Ref<VulkanStream> a = NewStream();
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  ASSERT_TRUE(Scale(*a, *x, *y, 2).ok());
  const TimelinePoint point = a->Now();
  ASSERT_TRUE(Set("fail_allocation", "1+").ok());
  EXPECT_FALSE(a->Flush().ok());
  ASSERT_TRUE(Set("fail_allocation", "0").ok());
  EXPECT_EQ(stream().WaitFor(point).code(), absl::StatusCode::kResourceExhausted);
  // Nobody signals the point, and nobody waits for that.
  EXPECT_TRUE(stream().WaitFor(point).ok());
  ASSERT_TRUE(Scale(stream(), *x, *y, 3).ok());
  EXPECT_EQ(Read(*y)[5], 15);
}

TEST_P(VulkanStreamTest, ASubmissionThatFailsOnceIsTriedAgain) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  ASSERT_TRUE(Scale(stream(), *x, *y, 2).ok());
  ASSERT_TRUE(Set("fail_allocation", "2").ok());
  EXPECT_EQ(Read(*y)[5], 10);
}

class LittleMemoryTest : public DeviceTest {
 protected:
  void SetOptions() override {
    ASSERT_TRUE(Set("block_bytes", "1048576").ok());
    ASSERT_TRUE(Set("memory_limit", "8388608").ok());
  }
};
INSTANTIATE_TEST_SUITE_P(All, LittleMemoryTest, testing::Values(""), DisableName);

// Pending work is waited for when what it holds is needed.
TEST_P(LittleMemoryTest, TemporariesOfPendingWorkMakeRoom) {
  for (int i = 0; i < 100; ++i) {
    auto temporary = device().allocator().Allocate(1 << 20);
    ASSERT_TRUE(temporary.ok()) << i << ": " << temporary.status();
    ASSERT_TRUE(stream().Fill(BufferView::Of(**temporary), i).ok());
  }
  EXPECT_EQ(device().allocator().Allocate(1 << 24).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_P(VulkanStreamTest, EndsWithWorkPending) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  {
    Ref<VulkanStream> fresh = NewStream();
    ASSERT_TRUE(Scale(*fresh, *x, *y, 2).ok());
  }
  EXPECT_EQ(Read(*y)[9], 18);
}

}  // namespace
}  // namespace tandem::vulkan_backend
