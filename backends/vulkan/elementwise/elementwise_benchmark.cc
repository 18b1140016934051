// What elementwise kernels cost: on the host to prepare, and on the device alone and fused.
//
//   bazel run -c opt //backends/vulkan:elementwise_benchmark
//
// Chain10 is an expression of ten operations: as one kernel, and as ten.

#include <memory>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "tandem/backends/vulkan/elementwise/elementwise.h"
#include "tandem/backends/vulkan/elementwise/glsl_printer.h"
#include "tandem/backends/vulkan/programs/shader_compiler.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/op/op_def.h"

namespace tandem::vulkan_backend {
namespace {

VulkanDevice* OpenedDevice() {
  static const auto* const device = [] {
    VulkanBackend backend;
    return new absl::StatusOr<std::unique_ptr<Device>>(backend.OpenDevice(0));
  }();
  return device->ok() ? static_cast<VulkanDevice*>(device->value().get()) : nullptr;
}

// The chain's step `k` of two values.
ScalarValue Step(ScalarBuilder& b, int k, ScalarValue x, ScalarValue y) {
  switch (k % 5) {
    case 0:
      return b.Add(x, y);
    case 1:
      return b.Mul(x, y);
    case 2:
      return b.Max(x, b.Constant(0, x.type));
    case 3:
      return b.Sub(x, y);
    default:
      return b.Mul(x, b.Constant(0.5, x.type));
  }
}

ScalarExpr StepAlone(int k) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF32), y = b.Input(1, DType::kF32);
  b.Output(Step(b, k, x, y), DType::kF32);
  return *b.Finish();
}

ScalarExpr Chain(int length) {
  ScalarBuilder b;
  ScalarValue x = b.Input(0, DType::kF32);
  const ScalarValue y = b.Input(1, DType::kF32);
  for (int k = 0; k < length; ++k) x = Step(b, k, x, y);
  b.Output(x, DType::kF32);
  return *b.Finish();
}

ScalarExpr OneFunction(ScalarOp op) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF32);
  b.Input(1, DType::kF32);
  b.Output(b.Unary(op, x), DType::kF32);
  return *b.Finish();
}

struct Operands {
  explicit Operands(VulkanDevice& device, int64_t n)
      : layout(TensorLayout::Contiguous({DType::kF32, {n}})) {
    for (Ref<Buffer>* buffer : {&x, &y, &z}) {
      *buffer = *device.allocator().Allocate(n * 4);
      (void)device.default_stream().Fill(BufferView::Of(**buffer), 0x3F000000);  // 0.5
    }
  }
  TensorLayout layout;
  Ref<Buffer> x, y, z;
};

// Runs kernels one after the other, from (x, y) to z and then from (z, y) to z.
void RunKernels(benchmark::State& state, const std::vector<ScalarExpr>& exprs, int width = 0) {
  VulkanDevice* device = OpenedDevice();
  if (device == nullptr) return state.SkipWithError("no Vulkan device");
  const Operands operands(*device, state.range(0));
  const TensorLayout inputs[] = {operands.layout, operands.layout};
  std::vector<Ref<const PreparedKernel>> kernels;
  for (const ScalarExpr& expr : exprs) {
    kernels.push_back(*PrepareExpression(expr, inputs, {operands.layout}, *device, width));
  }
  Stream& stream = device->default_stream();
  const BufferView out = BufferView::Of(*operands.z);
  for (auto _ : state) {
    BufferView in[] = {BufferView::Of(*operands.x), BufferView::Of(*operands.y)};
    for (const Ref<const PreparedKernel>& kernel : kernels) {
      benchmark::DoNotOptimize(kernel->Record(stream, in, {&out, 1}, BufferView()));
      in[0] = out;
    }
    benchmark::DoNotOptimize(stream.Synchronize(stream.Now()));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_Chain10AsOneKernel(benchmark::State& state) { RunKernels(state, {Chain(10)}); }
BENCHMARK(BM_Chain10AsOneKernel)
    ->Arg(1 << 12)
    ->Arg(1 << 16)
    ->Arg(1 << 20)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void BM_Chain10AsTenKernels(benchmark::State& state) {
  std::vector<ScalarExpr> steps;
  for (int k = 0; k < 10; ++k) steps.push_back(StepAlone(k));
  RunKernels(state, steps);
}
BENCHMARK(BM_Chain10AsTenKernels)
    ->Arg(1 << 12)
    ->Arg(1 << 16)
    ->Arg(1 << 20)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void BM_Add(benchmark::State& state) {
  RunKernels(state, {StepAlone(0)}, static_cast<int>(state.range(1)));
}
BENCHMARK(BM_Add)->Args({1 << 20, 1})->Args({1 << 20, 4})->MeasureProcessCPUTime()->UseRealTime();

void BM_Exp(benchmark::State& state) {
  RunKernels(state, {OneFunction(ScalarOp::kExp)}, static_cast<int>(state.range(1)));
}
BENCHMARK(BM_Exp)->Args({1 << 20, 1})->Args({1 << 20, 4})->MeasureProcessCPUTime()->UseRealTime();

void BM_Sin(benchmark::State& state) { RunKernels(state, {OneFunction(ScalarOp::kSin)}); }
BENCHMARK(BM_Sin)->Arg(1 << 20)->MeasureProcessCPUTime()->UseRealTime();

// An eager call's share of this backend before it records.
void BM_PrepareOp(benchmark::State& state) {
  VulkanDevice* device = OpenedDevice();
  if (device == nullptr) return state.SkipWithError("no Vulkan device");
  OpDef def;
  def.name = "benchmark_add";
  def.inputs = {{"x", ""}, {"y", ""}};
  def.scalar = [](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap&) {
    return b.Add(x[0], x[1]);
  };
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{c.input(0)};
  };
  OpRegistry ops;
  if (!ops.Register(std::move(def)).ok()) return state.SkipWithError("cannot register");
  const OpDef& op = *ops.Find("benchmark_add");
  const TensorLayout x = TensorLayout::Contiguous({DType::kF32, {256, 64}});
  TensorLayout y = x;
  if (state.range(0) != 0) y = {{DType::kF32, {256, 1}}, {1, 1}, 0};
  const TensorLayout inputs[] = {x, y};
  const AttributeMap attrs;
  for (auto _ : state) {
    benchmark::DoNotOptimize(PrepareElementwise({op, attrs, inputs, {&x, 1}, *device}));
  }
}
BENCHMARK(BM_PrepareOp)->ArgName("broadcast")->Arg(0)->Arg(1);

// A new shader: what is waited for when a fused chain is first met.
void BM_PrintAndCompile(benchmark::State& state) {
  const ScalarExpr expr = Chain(10);
  ElementwiseVariant variant;
  variant.inputs = {InputAccess::kFlat, InputAccess::kFlat};
  for (auto _ : state) {
    ShaderCompiler compiler;
    benchmark::DoNotOptimize(compiler.Compile(*PrintElementwise(expr, variant)));
  }
}
BENCHMARK(BM_PrintAndCompile)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem::vulkan_backend

BENCHMARK_MAIN();
