// What one op costs beyond its work: eager dispatch, by op and size.
//
//   ./bazelw run //benchmarks:dispatch_benchmark
//
// The counter `GB/s` is the memory that the op must touch at least, over its time.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

template <typename T>
T Get(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(value);
}

Device& Cpu() {
  static Device* const device = [] {
    if (!RegisterStandardOps(&OpRegistry::Global()).ok() ||
        !BackendRegistry::Global().SetOption("cpu", "threads", "1").ok()) {
      std::exit(1);
    }
    return Get(BackendRegistry::Global().Open("cpu:0"));
  }();
  return *device;
}

Tensor Filled(const Shape& shape) {
  return Get(Tensor::FromVector<float>(std::vector<float>(shape.num_elements(), 0.5f), shape,
                                       Cpu()));
}

void Run(benchmark::State& state, const char* name, const std::vector<Tensor>& inputs,
         const std::vector<AttributeInit>& attributes = {}) {
  const OpDef& op = *Get(OpRegistry::Global().Get(name));
  const AttributeMap attrs = Get(AttributeMap::Create(op.attributes, attributes));
  int64_t bytes = Get(InferSpecs(op, attrs, inputs))[0].num_bytes();
  for (const Tensor& input : inputs) bytes += input.spec().num_bytes();
  for (auto _ : state) {
    const TensorList y = Get(Invoke(op, inputs, attrs));
    benchmark::DoNotOptimize(y[0].impl());
  }
  state.counters["GB/s"] = benchmark::Counter(
      1e-9 * bytes, benchmark::Counter::kIsIterationInvariantRate);
}

void BM_Add(benchmark::State& state) {
  const Tensor x = Filled({state.range(0)});
  Run(state, "add", {x, x});
}
BENCHMARK(BM_Add)->Arg(1)->Arg(256)->Arg(1 << 12)->Arg(1 << 20)->Arg(1 << 24);

void BM_Relu(benchmark::State& state) { Run(state, "relu", {Filled({1, state.range(0)})}); }
BENCHMARK(BM_Relu)->Arg(1)->Arg(256)->Arg(1 << 20);

void BM_Exp(benchmark::State& state) { Run(state, "exp", {Filled({state.range(0)})}); }
BENCHMARK(BM_Exp)->Arg(256)->Arg(1 << 20);

// The layers of the MLP at batch 1: weights [out, in] against one row.
void BM_DenseRow(benchmark::State& state) {
  Run(state, "matmul", {Filled({1, state.range(1)}), Filled({state.range(0), state.range(1)})},
      {{"transpose_b", true}});
}
BENCHMARK(BM_DenseRow)->Args({2, 128})->Args({128, 256})->Args({256, 512});

void BM_Transpose(benchmark::State& state) {
  Run(state, "transpose", {Filled({state.range(0), state.range(0)})});
}
BENCHMARK(BM_Transpose)->Arg(64);

}  // namespace
}  // namespace tandem

BENCHMARK_MAIN();
