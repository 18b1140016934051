// Compiled programs on a Vulkan device, again and again: no growth of memory, several threads, several
// streams, outputs that stay the caller's.

#include <unistd.h>

#include <fstream>
#include <thread>

#include "absl/base/config.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/exec/executable.h"
#include "tandem/graph/ir/text.h"
#include "tandem/tests/e2e/vulkan_fixture.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
// Of the sanitizer's <sanitizer/allocator_interface.h>, which gcc does not install.
extern "C" size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace tandem {
namespace {

const HybridizeOptions kStatic{.static_alloc = true, .static_shape = true};

class VulkanReplayTest : public VulkanTest {
 protected:
  // Of this process, the driver's among them. The address sanitizer holds back what is freed, so there
  // it is what has not been freed.
  static int64_t MemoryInUse() {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
    return static_cast<int64_t>(__sanitizer_get_current_allocated_bytes());
#else
    std::ifstream file("/proc/self/statm");
    int64_t pages = 0, resident = 0;
    file >> pages >> resident;
    return resident * sysconf(_SC_PAGE_SIZE);
#endif
  }
};

TEST_F(VulkanReplayTest, TenThousandReplaysTakeNoMore) {
  const DeviceScope scope(gpu());
  HybridSequential net;
  net.Add(nn::Dense(16, {.activation = "relu"}), nn::Dense(16, {.activation = "tanh"}),
          nn::Dense(4));
  net.Initialize(init::Xavier());
  const Tensor x = Ones({2, 8});
  net.Hybridize(kStatic);
  const std::vector<float> expected = ToVector(net(x));
  const auto run = [&](int calls) {
    for (int i = 0; i < calls; ++i) {
      const Tensor y = net(x);
      if (i % 500 == 0) {
        EXPECT_TRUE(SameBits(ToVector(y), expected)) << i;
      }
    }
    WaitAll();
  };
  run(1000);
  const AllocatorStats before = gpu().allocator().stats();
  const int64_t memory = MemoryInUse();
  run(10000);
  const AllocatorStats after = gpu().allocator().stats();
  EXPECT_EQ(after.bytes_in_use, before.bytes_in_use);
  EXPECT_EQ(after.bytes_reserved, before.bytes_reserved);
  // One output a call; the layer below may keep a few pages for itself.
  EXPECT_EQ(after.allocations - before.allocations, 10000);
  EXPECT_LE(MemoryInUse() - memory, 4 << 20);
  EXPECT_EQ(net.function()->stats().traces, 1);
}

TEST_F(VulkanReplayTest, EagerStepsTakeNoMore) {
  const DeviceScope scope(gpu());
  const Network& network = Networks()[2];
  const auto net = Ready(network);
  Trainer trainer(net->CollectParameters(), std::make_unique<Adam>());
  SoftmaxCrossEntropyLoss loss;
  const Batch batch = MakeBatch(network, 4);
  const auto run = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      Tensor l;
      {
        RecordScope record;
        l = loss((*net)(batch.x), batch.labels);
      }
      Backward(l);
      trainer.Step(4);
    }
    WaitAll();
  };
  run(5);
  const AllocatorStats before = gpu().allocator().stats();
  run(50);
  const AllocatorStats after = gpu().allocator().stats();
  EXPECT_EQ(after.bytes_in_use, before.bytes_in_use);
  EXPECT_EQ(after.bytes_reserved, before.bytes_reserved);
}

TEST_F(VulkanReplayTest, OutputsAreTheCallers) {
  const DeviceScope scope(gpu());
  HybridSequential net;
  net.Add(nn::Dense(5), nn::Activation("relu"));
  net.Initialize(init::Xavier());
  net(Ones({1, 3}));
  net.Hybridize(kStatic);
  // Queued one behind the other, read afterwards.
  std::vector<Tensor> outputs;
  for (int i = 0; i < 100; ++i) outputs.push_back(net(Full({1, 3}, i)));
  net.Hybridize(false);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(SameBits(ToVector(outputs[i]), ToVector(net(Full({1, 3}, i))))) << i;
  }
}

TEST_F(VulkanReplayTest, ThreadsShareOneCompiledNetwork) {
  const DeviceScope scope(gpu());
  const auto net = Ready(Networks()[0]);
  const Tensor x = MakeBatch(Networks()[0], 3).x;
  for (const bool is_static : {true, false}) {
    net->Hybridize({.static_alloc = is_static, .static_shape = is_static});
    const std::vector<float> expected = ToVector((*net)(x));
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        const DeviceScope here(gpu());
        for (int call = 0; call < 25; ++call) {
          wrong[t] += !SameBits(ToVector((*net)(x)), expected);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0));
  }
}

constexpr char kProgram[] = R"(
    graph @chain(%x: f32[64,64] argument, %w: f32[64,64] parameter) -> (f32[64,64] "y") {
      %a = matmul(%x, %w) : f32[64,64]
      %b = tanh(%a) : f32[64,64]
      %c = matmul(%b, %w) : f32[64,64]
      %y = tanh(%c) : f32[64,64]
      return %y
    })";

// Two streams compute in turn, a third copies what each has computed.
TEST_F(VulkanReplayTest, StreamsWaitForEachOther) {
  const DeviceScope scope(gpu());
  const Graph graph = Value(ParseGraph(kProgram, OpRegistry::Global(), &gpu()));
  for (const bool is_static : {true, false}) {
    const auto program = Value(
        Executable::Create(graph, gpu(), {.static_alloc = is_static, .static_shape = is_static}));
    random::Seed(4);
    const Tensor w = RandomNormal({64, 64}, 0, 0.1);
    std::vector<Tensor> inputs;
    for (int i = 0; i < 12; ++i) inputs.push_back(RandomNormal({64, 64}));
    std::vector<std::vector<float>> expected;
    for (const Tensor& x : inputs) {
      expected.push_back(ToVector(Value(program->Run({x, w})).outputs[0]));
    }
    const Ref<Stream> compute[] = {Value(gpu().CreateStream()), Value(gpu().CreateStream())};
    const Ref<Stream> copies = Value(gpu().CreateStream());
    for (const Ref<Stream>& stream : compute) {
      Check(stream->WaitFor(gpu().default_stream().Now()));
    }
    const int64_t bytes = 64 * 64 * sizeof(float);
    std::vector<Ref<Buffer>> results;
    for (size_t i = 0; i < inputs.size(); ++i) {
      Stream& stream = *compute[i % 2];
      const Tensor y =
          Value(program->Run({inputs[i], w}, RunOptions{.stream = &stream})).outputs[0];
      results.push_back(Value(gpu().allocator().Allocate(bytes, MemoryKind::kReadback)));
      Check(copies->WaitFor(stream.Now()));
      // `y` goes here: the stream keeps its memory until it was copied.
      Check(copies->Copy(BufferView::Of(*y.buffer(), 0, bytes),
                         BufferView::Of(*results.back(), 0, bytes)));
    }
    Check(copies->Synchronize(copies->Now()));
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto* values = reinterpret_cast<const float*>(Value(results[i]->Map()));
      EXPECT_TRUE(SameBits(std::vector<float>(values, values + 64 * 64), expected[i])) << i;
      Check(results[i]->Unmap());
    }
  }
}

}  // namespace
}  // namespace tandem
