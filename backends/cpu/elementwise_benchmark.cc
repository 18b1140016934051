// What an eager elementwise op costs below the interpreter, and how fast large ones are.

#include <cstdint>
#include <cstring>
#include <memory>

#include "benchmark/benchmark.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/elementwise.h"
#include "tandem/core/op/op_def.h"

namespace tandem::cpu_backend {
namespace {

using ScalarOf = ScalarValue (*)(ScalarBuilder& b, absl::Span<const ScalarValue> x);

struct Fixture {
  Fixture(int num_inputs, ScalarOf scalar) : device(backend.OpenDevice(0).value()) {
    (void)backend.SetOption("threads", "1");
    OpDef def;
    def.name = "op";
    def.inputs.resize(num_inputs, {"x", ""});
    def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
      return SpecList{c.input(0)};
    };
    def.scalar = [scalar](ScalarBuilder& b, absl::Span<const ScalarValue> x, const AttributeMap&) {
      return scalar(b, x);
    };
    (void)ops.Register(std::move(def));
    op = ops.Find("op");
  }
  CpuBackend backend;
  std::unique_ptr<Device> device;
  OpRegistry ops;
  const OpDef* op;
  AttributeMap attrs;
};

ScalarValue Relu(ScalarBuilder& b, absl::Span<const ScalarValue> x) {
  return b.Max(x[0], b.Constant(0, x[0].type));
}
ScalarValue Add(ScalarBuilder& b, absl::Span<const ScalarValue> x) { return b.Add(x[0], x[1]); }
ScalarValue Exp(ScalarBuilder& b, absl::Span<const ScalarValue> x) {
  return b.Unary(ScalarOp::kExp, x[0]);
}
ScalarValue Identity(ScalarBuilder&, absl::Span<const ScalarValue> x) { return x[0]; }
ScalarValue Gelu(ScalarBuilder& b, absl::Span<const ScalarValue> x) {
  const ScalarValue e = b.Erf(b.Mul(x[0], b.Constant(0.7071067811865476, x[0].type)));
  return b.Mul(b.Mul(b.Constant(0.5, x[0].type), x[0]), b.Add(b.Constant(1, x[0].type), e));
}
ScalarValue TenCheap(ScalarBuilder& b, absl::Span<const ScalarValue> x) {
  ScalarValue y = x[0];
  for (int i = 0; i < 5; ++i) {
    y = b.Add(b.Mul(y, b.Constant(0.5 + i, y.type)), b.Constant(i, y.type));
  }
  return y;
}

// Allocation of the output, Prepare and Record, as eager execution does them.
void Eager(benchmark::State& state, int num_inputs, ScalarOf scalar, Shape shape,
           Strides strides = {}) {
  Fixture f(num_inputs, scalar);
  const TensorLayout out = TensorLayout::Contiguous({DType::kF32, shape});
  std::vector<TensorLayout> in(num_inputs, out);
  if (!strides.empty()) in[0].strides = strides;
  std::vector<Ref<Buffer>> buffers;
  std::vector<BufferView> views;
  for (int i = 0; i < num_inputs; ++i) {
    buffers.push_back(*f.device->allocator().Allocate(out.spec.num_bytes()));
    std::memset(*buffers.back()->Map(), 0, out.spec.num_bytes());
    views.push_back(BufferView::Of(*buffers.back()));
  }
  const KernelRequest request{*f.op, f.attrs, in, {&out, 1}, *f.device};
  for (auto _ : state) {
    const Ref<Buffer> y = *f.device->allocator().Allocate(out.spec.num_bytes());
    const auto kernel = PrepareElementwise(request);
    const BufferView to = BufferView::Of(*y);
    benchmark::DoNotOptimize(
        (*kernel)->Record(f.device->default_stream(), views, {&to, 1}, BufferView()));
  }
  state.SetBytesProcessed(state.iterations() * out.spec.num_bytes() * (num_inputs + 1));
}

void BM_Allocate(benchmark::State& state) {
  Fixture f(1, Relu);
  for (auto _ : state) benchmark::DoNotOptimize(f.device->allocator().Allocate(state.range(0)));
}
BENCHMARK(BM_Allocate)->Arg(1024)->Arg(4 << 20);

BENCHMARK_CAPTURE(Eager, relu_1x256, 1, Relu, Shape{1, 256});
BENCHMARK_CAPTURE(Eager, add_1x256, 2, Add, Shape{1, 256});
BENCHMARK_CAPTURE(Eager, relu_1M, 1, Relu, Shape{1 << 20});
BENCHMARK_CAPTURE(Eager, add_1M, 2, Add, Shape{1 << 20});
BENCHMARK_CAPTURE(Eager, add_16M, 2, Add, Shape{1 << 24});
BENCHMARK_CAPTURE(Eager, exp_1M, 1, Exp, Shape{1 << 20});
BENCHMARK_CAPTURE(Eager, gelu_1M, 1, Gelu, Shape{1 << 20});
BENCHMARK_CAPTURE(Eager, ten_cheap_1M, 1, TenCheap, Shape{1 << 20});
BENCHMARK_CAPTURE(Eager, ten_cheap_16M, 1, TenCheap, Shape{1 << 24});
BENCHMARK_CAPTURE(Eager, copy_1M, 1, Identity, Shape{1024, 1024});
BENCHMARK_CAPTURE(Eager, transpose_1M, 1, Identity, Shape{1024, 1024}, Strides{1, 1024});
BENCHMARK_CAPTURE(Eager, add_bias_256x10, 2, Add, Shape{256, 10}, Strides{0, 1});

}  // namespace
}  // namespace tandem::cpu_backend

BENCHMARK_MAIN();
