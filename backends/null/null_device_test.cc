#include "tandem/backends/null/null_device.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/null/null_kernel.h"

namespace tandem::null_backend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NullDeviceTest : public testing::Test {
 protected:
  NullDeviceTest() : device_(backend_.OpenDevice(0).value()) {}

  NullReport Report() { return static_cast<NullDevice*>(device_.get())->TakeReport(); }
  Ref<Buffer> New(int64_t bytes) { return *device_->allocator().Allocate(bytes); }
  // Reads the first, writes the others.
  absl::Status Dispatch1(CommandRecorder& recorder, const BufferView& from, const BufferView& to) {
    const std::vector<BufferView> bindings = {from, to};
    return recorder.Record({.program = program_.get(),
                            .bindings = bindings,
                            .reads = 1,
                            .writes = 2,
                            .constants = {}});
  }

  NullBackend backend_;
  std::unique_ptr<Device> device_;
  Ref<NullProgram> program_ = MakeRef<NullProgram>("step");
};

TEST_F(NullDeviceTest, CountsAndFindsNothingWhereAllIsWell) {
  const Ref<Buffer> x = New(64), y = New(64);
  Stream& stream = device_->default_stream();
  ASSERT_TRUE(stream.Fill(BufferView::Of(*x), 0).ok());
  ASSERT_TRUE(Dispatch1(stream, BufferView::Of(*x), BufferView::Of(*y)).ok());
  ASSERT_TRUE(Dispatch1(stream, BufferView::Of(*y), BufferView::Of(*y)).ok());  // in place
  ASSERT_TRUE(stream.Copy(BufferView::Of(*y, 0, 32), BufferView::Of(*x, 32, 32)).ok());
  const NullReport report = Report();
  EXPECT_THAT(report.violations, IsEmpty());
  EXPECT_EQ(report.dispatches, 2);
  EXPECT_EQ(report.copies, 1);
  EXPECT_EQ(report.fills, 1);
  EXPECT_EQ(Report().dispatches, 0);
}

TEST_F(NullDeviceTest, FindsReadsOfWhatNobodyWrote) {
  const Ref<Buffer> x = New(64), y = New(64);
  Stream& stream = device_->default_stream();
  ASSERT_TRUE(stream.Fill(BufferView::Of(*x, 0, 16), 0).ok());
  ASSERT_TRUE(stream.Fill(BufferView::Of(*x, 32, 32), 0).ok());
  ASSERT_TRUE(Dispatch1(stream, BufferView::Of(*x, 4, 40), BufferView::Of(*y)).ok());
  EXPECT_THAT(Report().violations, ElementsAre(HasSubstr("[4, 44) of a buffer, byte 16 of which")));
  ASSERT_TRUE(stream.Fill(BufferView::Of(*x, 16, 16), 0).ok());  // the gap
  ASSERT_TRUE(Dispatch1(stream, BufferView::Of(*x), BufferView::Of(*y)).ok());
  EXPECT_THAT(Report().violations, IsEmpty());
  // The host may have written what it mapped.
  const Ref<Buffer> z = New(64);
  ASSERT_TRUE(z->Map().ok());
  ASSERT_TRUE(Dispatch1(stream, BufferView::Of(*z), BufferView::Of(*y)).ok());
  EXPECT_THAT(Report().violations, IsEmpty());
}

TEST_F(NullDeviceTest, FindsOverlapsInOneDispatch) {
  const Ref<Buffer> arena = New(256);
  Stream& stream = device_->default_stream();
  ASSERT_TRUE(stream.Fill(BufferView::Of(*arena), 0).ok());
  ASSERT_TRUE(
      Dispatch1(stream, BufferView::Of(*arena, 0, 64), BufferView::Of(*arena, 64, 64)).ok());
  EXPECT_THAT(Report().violations, IsEmpty());
  ASSERT_TRUE(
      Dispatch1(stream, BufferView::Of(*arena, 0, 64), BufferView::Of(*arena, 60, 64)).ok());
  EXPECT_THAT(Report().violations, ElementsAre(HasSubstr("overlap")));
  // Two outputs at one place.
  const std::vector<BufferView> outputs = {BufferView::Of(*arena, 0, 8),
                                           BufferView::Of(*arena, 0, 8)};
  ASSERT_TRUE(stream
                  .Record({.program = program_.get(),
                           .bindings = outputs,
                           .reads = 0,
                           .writes = 3,
                           .constants = {}})
                  .ok());
  EXPECT_THAT(Report().violations, ElementsAre(HasSubstr("overlap")));
}

TEST_F(NullDeviceTest, FindsUseAfterTheEnd) {
  Ref<Buffer> x = New(64);
  const Ref<Buffer> y = New(64);
  ASSERT_TRUE(device_->default_stream().Fill(BufferView::Of(*x), 0).ok());
  const Ref<CommandBuffer> commands = device_->CreateCommandBuffer(0).value();
  ASSERT_TRUE(Dispatch1(*commands, BufferView::Of(*x), BufferView::Of(*y)).ok());
  ASSERT_TRUE(commands->Finish().ok());
  ASSERT_TRUE(device_->default_stream().Submit(commands, {}).ok());
  EXPECT_THAT(Report().violations, IsEmpty());
  x = nullptr;
  ASSERT_TRUE(device_->default_stream().Submit(commands, {}).ok());
  EXPECT_THAT(Report().violations, ElementsAre(HasSubstr("has ended")));
}

TEST_F(NullDeviceTest, SlotsAreCheckedAtSubmit) {
  const Ref<CommandBuffer> commands = device_->CreateCommandBuffer(2).value();
  ASSERT_TRUE(Dispatch1(*commands, BufferView::Slot(0, 0, 8), BufferView::Slot(1, 8, 8)).ok());
  EXPECT_FALSE(Dispatch1(*commands, BufferView::Slot(2, 0, 8), BufferView::Slot(1, 8, 8)).ok());
  Stream& stream = device_->default_stream();
  const Ref<Buffer> x = New(16);
  const BufferView whole = BufferView::Of(*x);
  EXPECT_FALSE(stream.Submit(commands, std::vector<BufferView>{whole, whole}).ok());
  ASSERT_TRUE(commands->Finish().ok());
  EXPECT_FALSE(stream.Submit(commands, std::vector<BufferView>{whole}).ok());
  EXPECT_FALSE(
      stream.Submit(commands, std::vector<BufferView>{whole, BufferView::Of(*x, 0, 8)}).ok());
  Report();
  ASSERT_TRUE(stream.Submit(commands, std::vector<BufferView>{whole, whole}).ok());
  // Slot 0 was never written.
  EXPECT_THAT(Report().violations, ElementsAre(HasSubstr("nobody wrote")));
}

TEST_F(NullDeviceTest, KernelOfEveryOpHasTheRightMasks) {
  KernelRegistry kernels;
  ASSERT_TRUE(RegisterNullKernel(&kernels).ok());
  OpDef op;
  op.name = "anything";
  const AttributeMap attrs;
  // A transposed input inside of its buffer.
  const TensorLayout in = {{DType::kF32, {2, 3}}, {1, 2}, 4};
  const TensorLayout out = TensorLayout::Contiguous({DType::kF32, {2, 3}});
  const KernelRequest request{op, attrs, {&in, 1}, {&out, 1}, *device_};
  const auto kernel = kernels.Find(request)->prepare(request);
  ASSERT_TRUE(kernel.ok());
  const Ref<Buffer> x = New(40), y = New(24);
  Stream& stream = device_->default_stream();
  // Only what the layout touches needs to be written.
  ASSERT_TRUE(stream.Fill(BufferView::Of(*x, 16, 24), 0).ok());
  const BufferView from = BufferView::Of(*x), to = BufferView::Of(*y);
  ASSERT_TRUE((*kernel)->Record(stream, {&from, 1}, {&to, 1}, BufferView()).ok());
  ASSERT_TRUE(stream.Copy(to, BufferView::Of(*x, 0, 24)).ok());  // the output is written now
  EXPECT_THAT(Report().violations, IsEmpty());
  const BufferView small = BufferView::Of(*x, 0, 36);
  EXPECT_FALSE((*kernel)->Record(stream, {&small, 1}, {&to, 1}, BufferView()).ok());
}

TEST_F(NullDeviceTest, MemoryIsCounted) {
  {
    const Ref<Buffer> a = New(100);
    const Ref<Buffer> b = New(50);
    EXPECT_EQ(device_->allocator().stats().bytes_in_use, 150);
  }
  EXPECT_EQ(device_->allocator().stats().bytes_in_use, 0);
  EXPECT_EQ(device_->allocator().stats().peak_bytes, 150);
  EXPECT_EQ(device_->allocator().Allocate(INT64_MAX).status().code(),
            absl::StatusCode::kResourceExhausted);
  const int64_t physical = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE);
  const auto most = device_->allocator().Allocate(physical + 1);
  EXPECT_EQ(most.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(device_->allocator().Allocate(-1).status().code(), absl::StatusCode::kInvalidArgument);
  const Ref<Buffer> zeroed = New(int64_t{1} << 30);
  std::byte* const data = *zeroed->Map();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % device_->info().alignment, 0);
  EXPECT_EQ(data[0], std::byte{0});
  EXPECT_EQ(data[zeroed->size() - 1], std::byte{0});
  EXPECT_FALSE(backend_.OpenDevice(1).ok());
  EXPECT_FALSE(backend_.SetOption("x", "1").ok());
}

}  // namespace
}  // namespace tandem::null_backend
