#include "tandem/backends/cpu/cpu_device.h"

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/core/device/test_device.h"

namespace tandem::cpu_backend {
namespace {

using testing::HasSubstr;

struct ScaleParams {
  int64_t n;
  float factor;
};

void Scale(const ScaleParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const float* x = At<float>(buffers[0]);
  float* y = At<float>(buffers[1]);
  for (int64_t i = 0; i < p.n; ++i) y[i] = p.factor * x[i];
}

class CpuDeviceTest : public testing::Test {
 protected:
  CpuDeviceTest() : device_(backend_.OpenDevice(0).value()) {}

  Ref<Buffer> Floats(const std::vector<float>& values) {
    Ref<Buffer> buffer = device_->allocator().Allocate(values.size() * 4).value();
    std::memcpy(*buffer->Map(), values.data(), values.size() * 4);
    return buffer;
  }
  static std::vector<float> ValuesOf(const Ref<Buffer>& buffer) {
    std::vector<float> values(buffer->size() / 4);
    std::memcpy(values.data(), *buffer->Map(), buffer->size());
    return values;
  }
  absl::Status RecordScale(CommandRecorder& recorder, float factor, const BufferView& x,
                           const BufferView& y, int64_t n) {
    return MakeCpuKernel("scale", ScaleParams{n, factor}, Scale)
        ->Record(recorder, {&x, 1}, {&y, 1}, BufferView());
  }

  CpuBackend backend_;
  std::unique_ptr<Device> device_;
};

TEST_F(CpuDeviceTest, SaysWhatItIs) {
  EXPECT_EQ(device_->id().ToString(), "cpu:0");
  EXPECT_THAT(device_->info().name, HasSubstr(std::string(IsaName(DetectIsa()))));
  EXPECT_THAT(device_->info().name, HasSubstr("thread"));
  EXPECT_GT(device_->info().memory_bytes, 0);
  EXPECT_EQ(device_->info().properties.size(), 3);
}

TEST_F(CpuDeviceTest, StreamExecutesAtOnce) {
  const Ref<Buffer> x = Floats({1, 2, 3}), y = Floats({0, 0, 0});
  Stream& stream = device_->default_stream();
  ASSERT_TRUE(RecordScale(stream, 2, BufferView::Of(*x), BufferView::Of(*y), 3).ok());
  EXPECT_EQ(ValuesOf(y), (std::vector<float>{2, 4, 6}));
  ASSERT_TRUE(stream.Copy(BufferView::Of(*y, 4, 8), BufferView::Of(*x, 0, 8)).ok());
  EXPECT_EQ(ValuesOf(x), (std::vector<float>{4, 6, 3}));
  ASSERT_TRUE(stream.Fill(BufferView::Of(*x, 4, 8), 0x3F800000).ok());
  EXPECT_EQ(ValuesOf(x), (std::vector<float>{4, 1, 1}));
  const TimelinePoint now = stream.Now();
  EXPECT_TRUE(stream.Reached(now));
  EXPECT_TRUE(stream.WaitFor(now).ok());
  EXPECT_TRUE(stream.Synchronize(now).ok());
  EXPECT_TRUE(device_->CreateStream().value()->WaitFor(now).ok());
}

// Has failed: every point is reached, and only Synchronize says what became of the work.
class FailedStream : public TestStream {
 public:
  absl::Status Synchronize(const TimelinePoint&) override { return absl::DataLossError("gone"); }
};

TEST_F(CpuDeviceTest, WaitsForOtherDevicesAndTheirErrors) {
  Stream& stream = device_->default_stream();
  TestDevice other;
  EXPECT_TRUE(stream.WaitFor(other.default_stream().Now()).ok());
  EXPECT_TRUE(stream.WaitFor({}).ok());
  const Ref<FailedStream> failed = MakeRef<FailedStream>();
  EXPECT_EQ(stream.WaitFor(failed->Now()).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(stream.Synchronize(failed->Now()).code(), absl::StatusCode::kDataLoss);
}

TEST_F(CpuDeviceTest, CommandBufferReplaysWithOtherBuffers) {
  const Ref<Buffer> middle = Floats({0, 0, 0});
  const Ref<CommandBuffer> commands = device_->CreateCommandBuffer(2).value();
  // slot 0 -> middle -> the second half of slot 1.
  ASSERT_TRUE(
      RecordScale(*commands, 2, BufferView::Slot(0, 0, 12), BufferView::Of(*middle), 3).ok());
  ASSERT_TRUE(
      RecordScale(*commands, 5, BufferView::Of(*middle), BufferView::Slot(1, 12, 12), 3).ok());
  ASSERT_TRUE(commands->Fill(BufferView::Slot(1, 0, 4), 0x40000000).ok());
  ASSERT_TRUE(commands->Copy(BufferView::Slot(0, 0, 8), BufferView::Slot(1, 4, 8)).ok());
  Stream& stream = device_->default_stream();
  const Ref<Buffer> x = Floats({1, 2, 3}), y = Floats({0, 0, 0, 0, 0, 0});
  const std::vector<BufferView> bindings = {BufferView::Of(*x), BufferView::Of(*y)};
  EXPECT_EQ(stream.Submit(commands, bindings).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(commands->Finish().ok());
  EXPECT_FALSE(commands->Finish().ok());
  EXPECT_FALSE(commands->Fill(BufferView::Slot(0, 0, 4), 0).ok());
  ASSERT_TRUE(stream.Submit(commands, bindings).ok());
  EXPECT_EQ(ValuesOf(y), (std::vector<float>{2, 1, 2, 10, 20, 30}));
  const Ref<Buffer> other = Floats({7, 7, 7, 1, 1, 1});
  ASSERT_TRUE(stream
                  .Submit(commands, std::vector<BufferView>{BufferView::Of(*other, 12, 12),
                                                            BufferView::Of(*y)})
                  .ok());
  EXPECT_EQ(ValuesOf(y), (std::vector<float>{2, 1, 1, 10, 10, 10}));
}

TEST_F(CpuDeviceTest, CommandBufferRunsInManyThreadsAtOnce) {
  const Ref<CommandBuffer> commands = device_->CreateCommandBuffer(2).value();
  const int64_t n = 1000;
  ASSERT_TRUE(
      RecordScale(*commands, 3, BufferView::Slot(0, 0, 4 * n), BufferView::Slot(1, 0, 4 * n), n)
          .ok());
  ASSERT_TRUE(commands->Finish().ok());
  const Ref<Buffer> x = Floats(std::vector<float>(n, 2));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const Ref<Buffer> y = Floats(std::vector<float>(n, 0));
      const std::vector<BufferView> bindings = {BufferView::Of(*x), BufferView::Of(*y)};
      for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(device_->default_stream().Submit(commands, bindings).ok());
      }
      EXPECT_EQ(ValuesOf(y), std::vector<float>(n, 6));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CpuDeviceTest, SubmitChecksSlots) {
  const Ref<CommandBuffer> commands = device_->CreateCommandBuffer(3).value();
  ASSERT_TRUE(commands->Fill(BufferView::Slot(1, 8, 8), 0).ok());  // slots 0 and 2 are unused
  EXPECT_FALSE(commands->Fill(BufferView::Slot(3, 0, 4), 0).ok());
  EXPECT_FALSE(commands->Fill(BufferView::Slot(0, -4, 4), 0).ok());
  EXPECT_FALSE(
      commands->Fill(BufferView::Slot(0, std::numeric_limits<int64_t>::max() - 3, 8), 0).ok());
  ASSERT_TRUE(commands->Finish().ok());
  const Ref<Buffer> buffer = Floats({1, 2, 3, 4});
  const BufferView whole = BufferView::Of(*buffer);
  Stream& stream = device_->default_stream();
  EXPECT_TRUE(stream.Submit(commands, std::vector<BufferView>{{}, whole}).ok());
  const auto code = [&](std::vector<BufferView> bindings) {
    return stream.Submit(commands, bindings).status().code();
  };
  EXPECT_EQ(code({whole}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({whole, BufferView()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({whole, BufferView::Slot(0, 0, 16)}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({whole, BufferView::Of(*buffer, 4, 12)}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({whole, BufferView::Of(*buffer, 8, 16)}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(stream.Submit(nullptr, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(device_->CreateCommandBuffer(-1).ok());
  EXPECT_FALSE(device_->CreateCommandBuffer(std::numeric_limits<int>::max()).ok());
}

TEST_F(CpuDeviceTest, RecordChecksViews) {
  const Ref<Buffer> x = Floats({1, 2, 3});
  Stream& stream = device_->default_stream();
  const BufferView good = BufferView::Of(*x);
  for (const BufferView& bad :
       {BufferView(), BufferView::Slot(0, 0, 12), BufferView::Of(*x, 0, 16),
        BufferView::Of(*x, -4, 4), BufferView::Of(*x, 4, -4), BufferView::Of(*x, 16, 4)}) {
    EXPECT_EQ(RecordScale(stream, 1, good, bad, 3).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(stream.Copy(good, BufferView::Of(*x, 0, 8)).ok());
  EXPECT_FALSE(stream.Copy(BufferView::Of(*x, 0, 8), BufferView::Of(*x, 4, 8)).ok());
  EXPECT_FALSE(stream.Fill(BufferView::Of(*x, 2, 4), 0).ok());
  EXPECT_FALSE(stream.Fill(BufferView::Of(*x, 0, 6), 0).ok());
  EXPECT_FALSE(stream.Record(Dispatch()).ok());
  const std::vector<BufferView> many(65, good);
  const auto kernel = MakeCpuKernel("scale", ScaleParams{3, 1}, Scale);
  EXPECT_FALSE(kernel->Record(stream, many, {}, BufferView()).ok());
}

TEST_F(CpuDeviceTest, MasksSayWhatIsReadAndWritten) {
  class Recorder : public CommandRecorder {
   public:
    absl::Status Record(const Dispatch& dispatch) override {
      reads = dispatch.reads;
      writes = dispatch.writes;
      count = dispatch.bindings.size();
      return absl::OkStatus();
    }
    absl::Status Copy(const BufferView&, const BufferView&) override { return absl::OkStatus(); }
    absl::Status Fill(const BufferView&, uint32_t) override { return absl::OkStatus(); }
    uint64_t reads = 0, writes = 0;
    size_t count = 0;
  } recorder;
  const Ref<Buffer> x = Floats({1});
  const BufferView v = BufferView::Of(*x);
  CpuKernelOptions<ScaleParams> options;
  options.workspace_bytes = 4;
  const auto kernel = MakeCpuKernel("scale", ScaleParams{3, 1}, Scale, options);
  EXPECT_EQ(kernel->workspace_bytes(), 4);
  EXPECT_EQ(kernel->description(), "scale");
  ASSERT_TRUE(kernel->Record(recorder, std::vector<BufferView>{v, v}, {&v, 1}, v).ok());
  EXPECT_EQ(recorder.count, 4);
  EXPECT_EQ(recorder.reads, 0b1011);
  EXPECT_EQ(recorder.writes, 0b1100);
  const std::vector<BufferView> many(63, v);
  ASSERT_TRUE(kernel->Record(recorder, many, {}, v).ok());
  EXPECT_EQ(recorder.reads, ~uint64_t{0});
  EXPECT_EQ(recorder.writes, uint64_t{1} << 63);
}

TEST(CpuBackendTest, Options) {
  CpuBackend backend;
  EXPECT_TRUE(backend.SetOption("threads", "2").ok());
  EXPECT_FALSE(backend.SetOption("threads", "0").ok());
  EXPECT_FALSE(backend.SetOption("threads", "many").ok());
  EXPECT_TRUE(backend.SetOption("isa", "baseline").ok());
  EXPECT_FALSE(backend.SetOption("isa", "mmx").ok());
  EXPECT_FALSE(backend.SetOption("poison", "yes").ok());
  EXPECT_FALSE(backend.SetOption("devices", "0").ok());
  EXPECT_FALSE(backend.SetOption("memory_limit", "-1").ok());
  EXPECT_THAT(std::string(backend.SetOption("colour", "blue").message()), HasSubstr("threads"));
  EXPECT_TRUE(backend.SetOption("devices", "2").ok());
  EXPECT_TRUE(backend.SetOption("memory_limit", "100000").ok());
  EXPECT_EQ(backend.CountDevices().value(), 2);
  const std::unique_ptr<Device> device = backend.OpenDevice(1).value();
  EXPECT_EQ(device->id().ToString(), "cpu:1");
  EXPECT_THAT(device->info().name, HasSubstr("baseline, 2 threads"));
  EXPECT_EQ(device->allocator().Allocate(200000).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(backend.OpenDevice(2).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(backend.OpenDevice(-1).status().code(), absl::StatusCode::kUnavailable);
  // Too late for these, not for the others.
  EXPECT_EQ(backend.SetOption("devices", "3").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(backend.SetOption("isa", IsaName(DetectIsa())).ok());
  EXPECT_EQ(IsaOf(*device), DetectIsa());
}

}  // namespace
}  // namespace tandem::cpu_backend
