// What tiles are worth for transposed copies on the first Vulkan device: every kernel that can make a
// tensor contiguous, on the same tensors, as GB/s of what is read and written.
//
//   bazel run //backends/vulkan/kernels:copying_benchmark
//
// Each iteration submits a recorded command buffer and waits for it; "CPU" is the time of all threads,
// so for a driver that runs on a CPU also of its own.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "tandem/backends/vulkan/elementwise/elementwise.h"
#include "tandem/backends/vulkan/kernels/movement/copying.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/device/command.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::vulkan_backend {
namespace {

// As core/ops defines it, as far as kernels look.
OpDef Identity() {
  OpDef def;
  def.name = "identity";
  def.inputs = {{"x", ""}};
  def.scalar = [](ScalarBuilder&, absl::Span<const ScalarValue> x, const AttributeMap&) {
    return x[0];
  };
  return def;
}

struct Registries {
  OpDef identity = Identity();
  KernelRegistry kernels;
};

absl::Status Run(benchmark::State& state, const Registries& registries, const KernelDef& def,
                 const TensorLayout& layout, Device& device) {
  const AttributeMap attrs;
  const TensorLayout out = TensorLayout::Contiguous(layout.spec);
  const KernelRequest request = {registries.identity, attrs, {&layout, 1}, {&out, 1}, device};
  if (def.supports && !def.supports(request)) {
    return absl::UnimplementedError("not offered for this layout");
  }
  TANDEM_ASSIGN_OR_RETURN(const Ref<const PreparedKernel> kernel, def.prepare(request));
  const int64_t bytes = layout.spec.num_bytes();
  TANDEM_ASSIGN_OR_RETURN(const Ref<Buffer> from, device.allocator().Allocate(bytes));
  TANDEM_ASSIGN_OR_RETURN(const Ref<Buffer> to, device.allocator().Allocate(bytes));
  const BufferView input = BufferView::Of(*from, 0, bytes);
  const BufferView output = BufferView::Of(*to, 0, bytes);
  Stream& stream = device.default_stream();
  TANDEM_RETURN_IF_ERROR(stream.Fill(input, 0x3f000000));
  TANDEM_ASSIGN_OR_RETURN(const Ref<CommandBuffer> commands, device.CreateCommandBuffer(0));
  TANDEM_RETURN_IF_ERROR(kernel->Record(*commands, {&input, 1}, {&output, 1}, BufferView()));
  TANDEM_RETURN_IF_ERROR(commands->Finish());
  const auto submit = [&]() -> absl::Status {
    TANDEM_RETURN_IF_ERROR(stream.Submit(commands, {}).status());
    return stream.Synchronize(stream.Now());
  };
  TANDEM_RETURN_IF_ERROR(submit());  // the driver compiles
  for (auto _ : state) TANDEM_RETURN_IF_ERROR(submit());
  state.SetLabel(kernel->description());
  state.counters["GB/s"] = benchmark::Counter(
      2e-9 * static_cast<double>(bytes) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
  return absl::OkStatus();
}

absl::Status RegisterAll(Registries* registries, Device& device) {
  TANDEM_RETURN_IF_ERROR(RegisterCopyingKernels(&registries->kernels));
  TANDEM_RETURN_IF_ERROR(RegisterElementwiseKernels(&registries->kernels));
  std::vector<TensorLayout> layouts;
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    for (const int64_t n : {64, 256, 1024, 2048}) {
      layouts.push_back({{dtype, {n, n}}, {1, n}, 0});
    }
  }
  layouts.push_back({{DType::kF32, {8, 64, 64, 64}}, {262144, 1, 4096, 64}, 0});
  layouts.push_back(TensorLayout::Contiguous({DType::kF32, {1024, 1024}}));
  for (const TensorLayout& layout : layouts) {
    for (const KernelDef* def : registries->kernels.KernelsOf("identity", device.id().type)) {
      const std::string name =
          absl::StrCat(layout.spec.ToString(), "/", layout.strides.ToString(), "/", def->name);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [registries, def, layout, &device](benchmark::State& state) {
                                     const absl::Status status =
                                         Run(state, *registries, *def, layout, device);
                                     if (!status.ok()) {
                                       state.SkipWithError(status.ToString().c_str());
                                     }
                                   })
          ->UseRealTime()
          ->MeasureProcessCPUTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace tandem::vulkan_backend

int main(int argc, char** argv) {
  tandem::vulkan_backend::VulkanBackend backend;
  const auto device = backend.OpenDevice(0);
  if (!device.ok()) {
    std::fprintf(stderr, "%s\n", device.status().ToString().c_str());
    return 1;
  }
  std::printf("%s\n", (*device)->info().name.c_str());
  tandem::vulkan_backend::Registries registries;
  const absl::Status status = tandem::vulkan_backend::RegisterAll(&registries, **device);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
