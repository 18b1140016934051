// Work of several queues at once: streams that wait for each other, and copies from the host beside
// what is computed. Queues are logical ones that run in a random order, so what is not ordered by a
// semaphore goes wrong; see queue_shuffler.h. The host sees none of the device's memory.

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/device_testing.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/core/tensor/transfer.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::HasSubstr;

class OverlapTest : public DeviceTest {
 protected:
  void SetOptions() override { ASSERT_TRUE(Set("queues", "3").ok()); }

  VulkanStream& transfers() { return static_cast<VulkanStream&>(device().transfer_stream()); }
  Tensor FromHost(const std::vector<int32_t>& values) {
    auto tensor =
        Tensor::FromVector<int32_t>(values, {static_cast<int64_t>(values.size())}, device());
    EXPECT_TRUE(tensor.ok()) << tensor.status();
    return *std::move(tensor);
  }
  static std::vector<int32_t> ToHost(const Tensor& tensor) {
    auto values = tensor.ToVector<int32_t>();
    EXPECT_TRUE(values.ok()) << values.status();
    return *std::move(values);
  }
  // Enough for the transfer stream.
  static constexpr int kLarge = kTransferStreamBytes / 4;
};
INSTANTIATE_TEST_SUITE_P(All, OverlapTest,
                         testing::Values("unified_memory", "unified_memory,push_descriptors"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return info.index == 0 ? "PushDescriptors" : "DescriptorSets";
                         });

TEST_P(OverlapTest, TwoStreamsWaitBothWays) {
  Ref<VulkanStream> a = NewStream(), b = NewStream();
  Ref<Buffer> x = Make(Iota(256)), y = Make(Iota(256));
  constexpr int kTurns = 300;
  for (int i = 0; i < kTurns; ++i) {
    ASSERT_TRUE(Scale(*a, *x, *y, 1, 1).ok());
    ASSERT_TRUE(b->WaitFor(a->Now()).ok());
    ASSERT_TRUE(Scale(*b, *y, *x, 1, 1).ok());
    ASSERT_TRUE(a->WaitFor(b->Now()).ok());
  }
  ASSERT_TRUE(stream().WaitFor(a->Now()).ok());
  EXPECT_EQ(Read(*x), Iota(256, 2 * kTurns));
}

// Each of three streams has a chain of its own; every few steps they exchange their results.
TEST_P(OverlapTest, StreamsMeetNowAndThen) {
  constexpr int kStreams = 3, kRounds = 40, kSteps = 7;
  std::vector<Ref<VulkanStream>> streams;
  std::vector<Ref<Buffer>> x, y;
  std::vector<int32_t> expected;
  for (int s = 0; s < kStreams; ++s) {
    streams.push_back(NewStream());
    x.push_back(Make(Iota(64, s)));
    y.push_back(Make(Iota(64)));
    expected.push_back(s);
  }
  for (int round = 0; round < kRounds; ++round) {
    for (int s = 0; s < kStreams; ++s) {
      for (int i = 0; i < kSteps; ++i) {
        ASSERT_TRUE(Scale(*streams[s], *x[s], *y[s], 1, s + 1).ok());
        ASSERT_TRUE(streams[s]->Copy(BufferView::Of(*y[s]), BufferView::Of(*x[s])).ok());
        expected[s] += s + 1;
      }
    }
    // What the next stream has becomes this one's: it is read when that is done, and written after
    // all have read.
    for (int s = 0; s < kStreams; ++s) {
      const int next = (s + 1) % kStreams;
      ASSERT_TRUE(streams[s]->WaitFor(streams[next]->Now()).ok());
      ASSERT_TRUE(streams[s]->Copy(BufferView::Of(*x[next]), BufferView::Of(*y[s])).ok());
    }
    for (int s = 0; s < kStreams; ++s) {
      ASSERT_TRUE(streams[s]->WaitFor(streams[(s + kStreams - 1) % kStreams]->Now()).ok());
      ASSERT_TRUE(streams[s]->Copy(BufferView::Of(*y[s]), BufferView::Of(*x[s])).ok());
    }
    std::rotate(expected.begin(), expected.begin() + 1, expected.end());
  }
  for (int s = 0; s < kStreams; ++s) {
    ASSERT_TRUE(stream().WaitFor(streams[s]->Now()).ok());
    EXPECT_EQ(Read(*x[s]), Iota(64, expected[s])) << s;
  }
}

// The shuffler does its part: without a wait, a stream that was given its work later is now and then
// done earlier.
TEST_P(OverlapTest, StreamsThatDoNotWaitAreNotOrdered) {
  Ref<VulkanStream> a = NewStream(), b = NewStream();
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64)), z = Make(Iota(64));
  int overtaken = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(Scale(*a, *x, *y, 1).ok());
    ASSERT_TRUE(a->Flush().ok());
    ASSERT_TRUE(Scale(*b, *x, *z, 1).ok());
    const TimelinePoint later = b->Now();
    ASSERT_TRUE(b->Synchronize(later).ok());
    overtaken += !a->Reached(a->Now());
    ASSERT_TRUE(a->Synchronize(a->Now()).ok());
  }
  EXPECT_GT(overtaken, 0);
}

TEST_P(OverlapTest, UploadsRunBesideWhatIsComputed) {
  ASSERT_NE(&transfers(), &stream());
  Ref<Buffer> a = Make(Iota(1000)), b = Make(Iota(1000));
  const auto compute = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      ASSERT_TRUE(Scale(stream(), *a, *b, 1, 1).ok());
      std::swap(a, b);
    }
  };
  constexpr int kBatches = 30, kSteps = 10;
  Ref<Buffer> sums = Make(std::vector<int32_t>(kBatches, 0));
  for (int i = 0; i < kBatches; ++i) {
    compute(kSteps);
    std::vector<int32_t> values = Iota(kLarge + 100 * i, i);
    const Tensor batch = FromHost(values);
    values.assign(values.size(), -1);  // the caller's again
    // The default stream sees all of it: its last element.
    ASSERT_TRUE(stream()
                    .Copy(BufferView::Of(*batch.buffer(), batch.buffer()->size() - 4, 4),
                          BufferView::Of(*sums, 4 * i, 4))
                    .ok());
    ASSERT_TRUE(stream().Flush().ok());
  }
  const std::vector<int32_t> last = Read(*sums);
  for (int i = 0; i < kBatches; ++i) EXPECT_EQ(last[i], kLarge + 101 * i - 1) << i;
  EXPECT_EQ(Read(*a), Iota(1000, kBatches * kSteps));
  EXPECT_EQ(transfers().stats().commands, kBatches);
  EXPECT_EQ(stream().stats().commands, kBatches * (kSteps + 1));
}

TEST_P(OverlapTest, AnUploadDoesNotWaitForTheDefaultStream) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  const std::vector<int32_t> values = Iota(kLarge);
  int overtaken = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Scale(stream(), *x, *y, 1, i).ok());
    ASSERT_TRUE(stream().Flush().ok());
    const TimelinePoint before = stream().Now();
    const Tensor uploaded = FromHost(values);
    ASSERT_TRUE(transfers().Synchronize(transfers().Now()).ok());
    overtaken += !stream().Reached(before);
  }
  EXPECT_GT(overtaken, 0);
  EXPECT_EQ(Read(*y), Iota(64, 99));
}

TEST_P(OverlapTest, ChunkedCopiesOfManySizes) {
  for (const int64_t bytes : {kTransferStreamBytes - 4, kTransferStreamBytes, kStagingBytes + 4,
                              3 * kStagingBytes + 12}) {
    const std::vector<int32_t> values = Iota(static_cast<int>(bytes / 4), 7);
    const Tensor x = FromHost(values);
    EXPECT_FALSE(x.buffer()->host_visible());
    EXPECT_TRUE(ToHost(x) == values) << bytes;
  }
  // What was staged is let go with the wait of another stream.
  EXPECT_EQ(device().allocator().stats().bytes_in_use, 0);
}

TEST_P(OverlapTest, EightThreadsUploadComputeAndRead) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const std::vector<int32_t> values = Iota(kLarge + t, 1000 * t + i);
        const Tensor x = FromHost(values);
        const Tensor y = *Tensor::Empty(x.spec(), device());
        ASSERT_TRUE(Scale(stream(), *x.buffer(), *y.buffer(), 2).ok());
        std::vector<int32_t> expected = values;
        for (int32_t& value : expected) value *= 2;
        EXPECT_TRUE(ToHost(y) == expected);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(OverlapTest, ATransferStreamDoesNotCompute) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  const absl::Status refused = Scale(transfers(), *x, *y, 2);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("for transfers"));
  auto commands = device().CreateCommandBuffer(0);
  ASSERT_TRUE(commands.ok() && (*commands)->Finish().ok());
  EXPECT_EQ(transfers().Submit(*commands, {}).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(transfers().Fill(BufferView::Of(*x), 5).ok());
  ASSERT_TRUE(transfers().Copy(BufferView::Of(*x), BufferView::Of(*y)).ok());
  ASSERT_TRUE(stream().WaitFor(transfers().Now()).ok());
  EXPECT_EQ(Read(*y), std::vector<int32_t>(64, 5));
}

TEST_P(OverlapTest, TheKthCreationOfAnUploadFails) {
  const std::vector<int32_t> values = Iota(kLarge + 3, 11);
  const int64_t in_use = device().allocator().stats().bytes_in_use;
  int failed = 0;
  for (int k = 1; k <= 12; ++k) {
    for (const char* lasting : {"", "+"}) {
      SCOPED_TRACE(std::to_string(k) + lasting);
      device().allocator().Trim();
      ASSERT_TRUE(Set("fail_allocation", std::to_string(k) + lasting).ok());
      auto x = Tensor::FromVector<int32_t>(values, {kLarge + 3}, device());
      absl::StatusOr<std::vector<int32_t>> seen = absl::UnknownError("");
      seen = x.ok() ? x->ToVector<int32_t>() : x.status();
      ASSERT_TRUE(Set("fail_allocation", "0").ok());
      if (seen.ok()) {
        EXPECT_TRUE(*seen == values);
      } else {
        ++failed;
        EXPECT_EQ(seen.status().code(), absl::StatusCode::kResourceExhausted) << seen.status();
      }
      // Told of by one wait at most, of each stream.
      for (VulkanStream* s : {&stream(), &transfers()}) s->Synchronize(s->Now()).IgnoreError();
      x = absl::UnknownError("");
      EXPECT_TRUE(ToHost(FromHost(values)) == values);
      EXPECT_EQ(device().allocator().stats().bytes_in_use, in_use);
    }
  }
  EXPECT_GT(failed, 6);
}

TEST_P(OverlapTest, DeviceLostDuringAnUpload) {
  const std::vector<int32_t> values = Iota(3 * static_cast<int>(kStagingBytes) / 4);
  const Tensor x = FromHost(values);
  ASSERT_TRUE(Set("lose_device", "1").ok());
  EXPECT_EQ(x.ToVector<int32_t>().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Tensor::FromVector<int32_t>({1, 2}, {2}, device()).status().code(),
            absl::StatusCode::kUnavailable);
  for (VulkanStream* s : {&stream(), &transfers()}) {
    EXPECT_TRUE(s->Reached(s->Now()));
    EXPECT_EQ(s->Synchronize(s->Now()).code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(stream().WaitFor(transfers().Now()).code(), absl::StatusCode::kUnavailable);
}

class LittleMemoryTest : public OverlapTest {
 protected:
  void SetOptions() override {
    OverlapTest::SetOptions();
    ASSERT_TRUE(Set("block_bytes", "1048576").ok());
    ASSERT_TRUE(Set("memory_limit", "8388608").ok());
  }
};
INSTANTIATE_TEST_SUITE_P(All, LittleMemoryTest, testing::Values("unified_memory"),
                         [](const auto&) { return "Staging"; });

// Pending work of any stream is waited for when what it holds is needed.
TEST_P(LittleMemoryTest, TemporariesOfAllStreamsMakeRoom) {
  Ref<VulkanStream> a = NewStream(), b = NewStream();
  for (int i = 0; i < 100; ++i) {
    auto temporary = device().allocator().Allocate(1 << 20);
    ASSERT_TRUE(temporary.ok()) << i << ": " << temporary.status();
    ASSERT_TRUE((i % 2 == 0 ? a : b)->Fill(BufferView::Of(**temporary), i).ok());
  }
  EXPECT_EQ(device().allocator().Allocate(1 << 24).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tandem::vulkan_backend
