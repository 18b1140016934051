// What a call costs in the front end: one op, a small network op by op and compiled, a training
// step.
//
//   ./bazelw run -c opt //frontends/cpp:call_benchmark

#include <memory>

#include "benchmark/benchmark.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem {
namespace {

HybridSequential Mlp() {
  HybridSequential net;
  net.Add(nn::Dense(256, {.activation = "relu"}), nn::Dense(128, {.activation = "relu"}),
          nn::Dense(2));
  net.Initialize();
  return net;
}

void BM_EagerAdd(benchmark::State& state) {
  const Tensor a = Ones({1, 256});
  const Tensor b = Ones({1, 256});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(BM_EagerAdd);

void BM_EagerAddNumber(benchmark::State& state) {
  const Tensor a = Ones({1, 256});
  for (auto _ : state) benchmark::DoNotOptimize(a + 1.0);
}
BENCHMARK(BM_EagerAddNumber);

void BM_EagerSum(benchmark::State& state) {
  const Tensor a = Ones({1, 256});
  for (auto _ : state) benchmark::DoNotOptimize(Sum(a, {.axes = {1}}));
}
BENCHMARK(BM_EagerSum);

// 0: op by op, 1: compiled, 2: compiled with static memory and shapes.
void BM_Mlp(benchmark::State& state) {
  HybridSequential net = Mlp();
  const Tensor x = RandomNormal({1, 512});
  net(x);
  if (state.range(0) == 1) net.Hybridize();
  if (state.range(0) == 2) net.Hybridize({.static_alloc = true, .static_shape = true});
  for (auto _ : state) benchmark::DoNotOptimize(net(x));
}
BENCHMARK(BM_Mlp)->DenseRange(0, 2);

void BM_MlpTrainingStep(benchmark::State& state) {
  HybridSequential net = Mlp();
  SoftmaxCrossEntropyLoss loss;
  const Tensor x = RandomNormal({16, 512});
  const Tensor labels = Zeros({16}, DType::kI32);
  net(x);
  if (state.range(0) > 0) {
    net.Hybridize({.static_alloc = true, .static_shape = true});
    loss.Hybridize({.static_alloc = true, .static_shape = true});
  }
  Trainer trainer(net.CollectParameters(), std::make_unique<Adam>());
  for (auto _ : state) {
    Tensor l;
    {
      RecordScope record;
      l = loss(net(x), labels);
    }
    Backward(l);
    trainer.Step(16);
  }
}
BENCHMARK(BM_MlpTrainingStep)->DenseRange(0, 1);

// The parameters of LeNet with next to no elements: what a step costs besides its arithmetic.
void BM_TrainerStep(benchmark::State& state) {
  HybridSequential net;
  for (int i = 0; i < 4; ++i) net.Add(nn::Dense(2, {.in_units = 2}));
  net.Initialize();
  Trainer trainer(net.CollectParameters(), std::make_unique<SGD>(SGDOptions{.momentum = 0.9}));
  for (auto _ : state) {
    state.PauseTiming();
    Tensor y;
    {
      RecordScope record;
      y = net(Ones({1, 2}));
    }
    Backward(y);
    state.ResumeTiming();
    trainer.Step(1);
  }
}
BENCHMARK(BM_TrainerStep);

}  // namespace
}  // namespace tandem
