#include "tandem/core/tensor/transfer.h"

#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {
namespace {

// Copies as late as it may: when the host waits for them.
class LateStream : public TestStream {
 public:
  absl::Status Copy(const BufferView& from, const BufferView& to) override {
    bytes_copied_ += from.size;
    pending_.push_back([this, from, to, a = RefFrom(from.buffer), b = RefFrom(to.buffer)] {
      return TestStream::Copy(from, to);
    });
    return absl::OkStatus();
  }
  TimelinePoint Now() override { return {this, done_ + pending_.size()}; }
  bool Reached(const TimelinePoint& point) const override { return point.value <= done_; }
  absl::Status Synchronize(const TimelinePoint& point) override {
    while (done_ < point.value) {
      const absl::Status status = pending_.front()();
      pending_.pop_front();
      ++done_;
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  int64_t bytes_copied() const { return bytes_copied_; }
  size_t pending() const { return pending_.size(); }

 private:
  std::deque<std::function<absl::Status()>> pending_;
  uint64_t done_ = 0;
  int64_t bytes_copied_ = 0;
};

class LateDevice : public TestDevice {
 public:
  explicit LateDevice(int ordinal = 0) : TestDevice(/*device_memory_visible=*/false, ordinal) {}
  Stream& default_stream() override { return stream_; }
  LateStream& stream() { return stream_; }

 private:
  LateStream stream_;
};

std::vector<int32_t> Numbers(int64_t n) {
  std::vector<int32_t> values(n);
  for (int64_t i = 0; i < n; ++i) values[i] = static_cast<int32_t>(i * 2654435761u);
  return values;
}

TEST(TransferTest, LargeCopiesGoThroughTwoStagingBuffersInTurn) {
  LateDevice device;
  // One piece, one and a bit, exactly three, many and a bit.
  for (const int64_t bytes :
       {kStagingBytes, kStagingBytes + 4, 3 * kStagingBytes, 5 * kStagingBytes + 12}) {
    const std::vector<int32_t> values = Numbers(bytes / 4);
    device.allocator().ResetPeak();
    const int64_t before = device.allocator().stats().bytes_in_use;
    const auto x = Tensor::FromVector<int32_t>(values, {bytes / 4}, device);
    ASSERT_TRUE(x.ok()) << x.status();
    const auto back = x->ToVector<int32_t>();
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(*back == values) << bytes;
    EXPECT_LE(device.allocator().stats().peak_bytes - before, bytes + 4 * kStagingBytes);
  }
}

TEST(TransferTest, AnUploadDoesNotWait) {
  LateDevice device;
  std::vector<int32_t> values = Numbers(1000);
  const auto x = Tensor::FromVector<int32_t>(values, {1000}, device);
  ASSERT_TRUE(x.ok());
  EXPECT_EQ(device.stream().pending(), 1u);
  const std::vector<int32_t> expected = values;
  values.assign(1000, -1);  // the caller's bytes are the caller's again
  EXPECT_EQ(*x->ToVector<int32_t>(), expected);
}

TEST(TransferTest, OnlyTheElementsOfAViewAreCopied) {
  LateDevice device;
  const auto x = Tensor::FromVector<int32_t>(Numbers(100000), {100, 1000}, device);
  ASSERT_TRUE(x.ok());
  int64_t before = device.stream().bytes_copied();
  const Tensor row = *x->WithLayout({{DType::kI32, {5}}, {1}, 7000});
  EXPECT_EQ((*row.ToVector<int32_t>())[4], Numbers(7005)[7004]);
  EXPECT_EQ(device.stream().bytes_copied() - before, 20);
  before = device.stream().bytes_copied();
  const Tensor column = *x->WithLayout({{DType::kI32, {3}}, {-1000}, 5007});
  EXPECT_EQ((*column.ToVector<int32_t>())[2], Numbers(3008)[3007]);
  EXPECT_EQ(device.stream().bytes_copied() - before, 4 * 2001);
  before = device.stream().bytes_copied();
  EXPECT_EQ(row.ToString().substr(0, 13), "i32[5] test:0");
  EXPECT_EQ(device.stream().bytes_copied() - before, 20);
}

// With a stream for transfers.
class OverlappingDevice : public TestDevice {
 public:
  OverlappingDevice() : TestDevice(/*device_memory_visible=*/false) {}
  Stream& default_stream() override { return stream_; }
  Stream& transfer_stream() override { return transfers_; }

  class WaitingStream : public LateStream {
   public:
    absl::Status WaitFor(const TimelinePoint& point) override {
      waited_for.push_back(point);
      return const_cast<Stream*>(point.stream)->Synchronize(point);
    }
    std::vector<TimelinePoint> waited_for;
  };
  WaitingStream stream_;
  LateStream transfers_;
};

TEST(TransferTest, LargeUploadsTakeTheTransferStream) {
  OverlappingDevice device;
  const std::vector<int32_t> small = Numbers(kTransferStreamBytes / 4 - 1);
  const Tensor x = *Tensor::FromVector<int32_t>(small, {kTransferStreamBytes / 4 - 1}, device);
  EXPECT_EQ(device.transfers_.bytes_copied(), 0);
  EXPECT_TRUE(device.stream_.waited_for.empty());
  for (const int64_t bytes : {kTransferStreamBytes, 2 * kStagingBytes + 8}) {
    const std::vector<int32_t> large = Numbers(bytes / 4);
    const int64_t before = device.transfers_.bytes_copied();
    const Tensor y = *Tensor::FromVector<int32_t>(large, {bytes / 4}, device);
    EXPECT_EQ(device.transfers_.bytes_copied() - before, bytes);
    ASSERT_FALSE(device.stream_.waited_for.empty());
    EXPECT_EQ(device.stream_.waited_for.back().stream, &device.transfers_);
    EXPECT_EQ(device.stream_.waited_for.back().value, device.transfers_.Now().value);
    // Back in the order of the default stream.
    EXPECT_TRUE(*y.ToVector<int32_t>() == large);
    EXPECT_EQ(device.transfers_.bytes_copied() - before, bytes);
  }
  EXPECT_TRUE(*x.ToVector<int32_t>() == small);
}

TEST(TransferTest, ViewsInFewPiecesAreCopiedOnTheirDevice) {
  LateDevice device;
  const Tensor x = *Tensor::FromVector<int32_t>(Numbers(6000), {20, 300}, device);
  const auto expect_copy = [&](const TensorLayout& layout, int64_t copies) {
    const Tensor view = *x.WithLayout(layout);
    const std::vector<int32_t> expected = *view.ToVector<int32_t>();
    const size_t before = device.stream().pending();
    const Tensor copy = *CopyToDevice(view, device);
    EXPECT_EQ(device.stream().pending() - before, static_cast<size_t>(copies));
    EXPECT_TRUE(copy.is_contiguous());
    EXPECT_EQ(*copy.ToVector<int32_t>(), expected);
  };
  expect_copy({{DType::kI32, {3, 200}}, {300, 1}, 1250}, 3);
  expect_copy({{DType::kI32, {2, 3, 300}}, {3000, 300, 1}, 0}, 2);
  expect_copy({{DType::kI32, {20, 1, 10}}, {-300, 7, 1}, 5700}, 20);
  expect_copy({{DType::kI32, {4, 5}}, {0, 1}, 17}, 4);
  expect_copy({{DType::kI32, {5, 4}}, {1, 0}, 17}, 20);
  // 6000 pieces go through the host: one upload.
  expect_copy({{DType::kI32, {300, 20}}, {1, 300}, 0}, 1);
}

TEST(TransferTest, BetweenDevicesOfAnyKind) {
  LateDevice late, other_late(1);
  TestDevice visible(true, 2);
  Device* const devices[] = {&late, &other_late, &visible};
  for (Device* from : devices) {
    for (Device* to : devices) {
      const Tensor x = *Tensor::FromVector<int32_t>(Numbers(60), {6, 10}, *from);
      const Tensor part = *x.WithLayout({{DType::kI32, {2, 10}}, {10, 1}, 20});
      const Tensor transposed = *x.WithLayout({{DType::kI32, {10, 6}}, {1, 10}, 0});
      for (const Tensor& source : {x, part, transposed}) {
        const auto copy = CopyToDevice(source, *to);
        ASSERT_TRUE(copy.ok()) << copy.status();
        EXPECT_EQ(copy->device(), to);
        EXPECT_TRUE(copy->is_contiguous());
        EXPECT_EQ(*copy->ToVector<int32_t>(), *source.ToVector<int32_t>());
      }
      const Tensor empty = *Tensor::Empty({DType::kF32, {0, 3}}, *from);
      EXPECT_EQ(CopyToDevice(empty, *to)->shape(), Shape({0, 3}));
    }
  }
}

}  // namespace
}  // namespace tandem
