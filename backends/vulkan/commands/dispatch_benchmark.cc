// What the host pays for work on a Vulkan device: looking up a program, recording, submitting.
//
//   ./bazelw run -c opt //backends/vulkan:dispatch_benchmark
//
// The dispatches have one work group each, so that with a real device the host is what is measured;
// a software driver runs them on the same processor.

#include <cstdio>
#include <memory>
#include <vector>

#include "benchmark/benchmark.h"
#include "tandem/backends/vulkan/commands/vulkan_stream.h"
#include "tandem/backends/vulkan/programs/program_cache.h"
#include "tandem/backends/vulkan/shaders/test_scale_shaders.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/op_def.h"

namespace tandem::vulkan_backend {
namespace {

constexpr uint32_t kGroup = 64;

struct ScaleConstants {
  uint32_t n;
  int32_t factor;
};

// Null without a driver. With push descriptors, or without them.
VulkanDevice* OpenDevice(bool push_descriptors) {
  static BackendRegistry* registries[2] = {};
  BackendRegistry*& registry = registries[push_descriptors];
  if (registry == nullptr) {
    registry = new BackendRegistry;
    absl::Status status = registry->Register(std::make_unique<VulkanBackend>());
    if (!push_descriptors) {
      status.Update(registry->SetOption("vulkan", "disable", "push_descriptors"));
    }
    if (!status.ok()) return nullptr;
  }
  const auto device = registry->Open("vulkan:0");
  return device.ok() ? static_cast<VulkanDevice*>(*device) : nullptr;
}

// Two buffers of 64 elements and the program that scales one into the other.
struct Work {
  explicit Work(benchmark::State& state, bool push_descriptors = true)
      : device(OpenDevice(push_descriptors)) {
    if (device == nullptr) {
      state.SkipWithError("no Vulkan device");
      return;
    }
    x = *device->allocator().Allocate(4 * kGroup);
    y = *device->allocator().Allocate(4 * kGroup);
    program = *device->programs().Get(*TestScaleShader(DType::kI32), {kGroup, 0});
    Check(Record(device->default_stream(), BufferView::Of(*x), BufferView::Of(*y)));
    Synchronize();
  }
  static void Check(const absl::Status& status) {
    if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  }
  absl::Status Record(CommandRecorder& recorder, const BufferView& from, const BufferView& to) {
    const BufferView views[] = {from, to};
    const ScaleConstants constants{kGroup, 1};
    return recorder.Record({.program = program.get(),
                            .bindings = views,
                            .reads = 1,
                            .writes = 2,
                            .constants = BytesOf(constants),
                            .grid = {1, 1, 1}});
  }
  void Synchronize() {
    Stream& stream = device->default_stream();
    Check(stream.Synchronize(stream.Now()));
  }

  VulkanDevice* device;
  Ref<Buffer> x, y;
  Ref<const VulkanProgram> program;
};

void BM_FindProgram(benchmark::State& state) {
  Work work(state);
  if (work.device == nullptr) return;
  const Shader& shader = *TestScaleShader(DType::kI32);
  for (auto _ : state) {
    benchmark::DoNotOptimize(work.device->programs().Get(shader, {kGroup, 0}));
  }
}
BENCHMARK(BM_FindProgram)->ThreadRange(1, 2);

void BM_Prepare(benchmark::State& state) {
  Work work(state);
  if (work.device == nullptr) return;
  const OpDef op;
  const AttributeMap attrs;
  const std::vector<TensorLayout> specs = {TensorLayout::Contiguous({DType::kI32, {kGroup}})};
  const KernelRequest request{op, attrs, specs, specs, *work.device};
  for (auto _ : state) {
    KernelBuilder b(request, "scale");
    b.Dispatch(TestScaleShader(DType::kI32), {kGroup, 0},
               {Read(b.InputAs(0, DType::kI32)), Write(b.OutputAs(0, DType::kI32))},
               ScaleConstants{kGroup, 1}, {1, 1, 1});
    benchmark::DoNotOptimize(b.Finish());
  }
}
BENCHMARK(BM_Prepare);

// Recording on a stream, with what submitting it costs; the device's work is not waited for, unless
// it falls behind. Argument 0: independent dispatches; 1: each needs a barrier.
void BM_EagerRecord(benchmark::State& state) {
  Work work(state, state.range(1) != 0);
  if (work.device == nullptr) return;
  BufferView from = BufferView::Of(*work.x), to = BufferView::Of(*work.y);
  for (auto _ : state) {
    Work::Check(work.Record(work.device->default_stream(), from, to));
    if (state.range(0) != 0) std::swap(from, to);
  }
  state.SetItemsProcessed(state.iterations());
  work.Synchronize();
}
BENCHMARK(BM_EagerRecord)->ArgNames({"chain", "push"})->ArgsProduct({{0, 1}, {0, 1}});

// One dispatch and the wait for it.
void BM_EagerRoundTrip(benchmark::State& state) {
  Work work(state);
  if (work.device == nullptr) return;
  for (auto _ : state) {
    Work::Check(work.Record(work.device->default_stream(), BufferView::Of(*work.x),
                            BufferView::Of(*work.y)));
    work.Synchronize();
  }
}
BENCHMARK(BM_EagerRoundTrip)->UseRealTime();

// A command buffer with so many dispatches in a chain, with the same bindings each time; waits.
void BM_Replay(benchmark::State& state) {
  Work work(state);
  if (work.device == nullptr) return;
  Ref<CommandBuffer> commands = *work.device->CreateCommandBuffer(2);
  for (int i = 0; i < state.range(0); ++i) {
    Work::Check(work.Record(*commands, BufferView::Slot(i % 2, 0, 4 * kGroup),
                            BufferView::Slot(1 - i % 2, 0, 4 * kGroup)));
  }
  Work::Check(commands->Finish());
  const BufferView bindings[] = {BufferView::Of(*work.x), BufferView::Of(*work.y)};
  for (auto _ : state) {
    Work::Check(work.device->default_stream().Submit(commands, bindings).status());
    work.Synchronize();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Replay)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime();

// The same, recorded anew each time: what a binding that was never seen costs.
void BM_ReplayRecorded(benchmark::State& state) {
  Work work(state);
  if (work.device == nullptr) return;
  Ref<CommandBuffer> commands = *work.device->CreateCommandBuffer(2);
  for (int i = 0; i < state.range(0); ++i) {
    Work::Check(work.Record(*commands, BufferView::Slot(i % 2, 0, 4 * kGroup),
                            BufferView::Slot(1 - i % 2, 0, 4 * kGroup)));
  }
  Work::Check(commands->Finish());
  std::vector<Ref<Buffer>> buffers;
  for (int i = 0; i < 64; ++i) buffers.push_back(*work.device->allocator().Allocate(4 * kGroup));
  size_t next = 0;
  for (auto _ : state) {
    next = (next + 1) % buffers.size();
    Work::Check(work.device->default_stream()
                    .Submit(commands, {BufferView::Of(*work.x), BufferView::Of(*buffers[next])})
                    .status());
    work.Synchronize();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ReplayRecorded)->Arg(1)->Arg(100)->UseRealTime();

}  // namespace
}  // namespace tandem::vulkan_backend

BENCHMARK_MAIN();
