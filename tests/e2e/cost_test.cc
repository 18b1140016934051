// What hybridizing buys: time and memory.

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "gtest/gtest.h"
#include "tandem/tests/e2e/networks.h"

namespace tandem {
namespace {

class CostTest : public testing::TestWithParam<Network> {};

int64_t PeakOf(HybridBlock& net, const Tensor& x) {
  Allocator& allocator = DefaultDevice().allocator();
  net(x);
  net(x);
  WaitAll();
  const int64_t before = allocator.stats().bytes_in_use;
  allocator.ResetPeak();
  const Tensor y = net(x);
  WaitAll();
  // A program that keeps its arena has it in `before`.
  return std::max<int64_t>(allocator.stats().peak_bytes - before, 0);
}

// R5
TEST_P(CostTest, ACompiledRunNeedsNoMoreMemoryThanAnEagerOne) {
  const auto net = Ready(GetParam());
  const Tensor x = MakeBatch(GetParam(), 16).x;
  const int64_t outputs = (*net)(x).spec().num_bytes();
  const int64_t eager = PeakOf(*net, x);
  net->Hybridize();
  const int64_t compiled = PeakOf(*net, x);
  EXPECT_GT(eager, 0);
  if (GetParam().draws) {
    // Batch normalization is not done in place, so that the eager peak lies there, before there are
    // outputs; a compiled run makes them first.
    EXPECT_LE(compiled, eager + outputs);
  } else {
    EXPECT_LE(compiled, eager);
  }
}

// R5: with the arena that it keeps.
TEST_P(CostTest, AStaticRunNeedsNoMoreMemoryEither) {
  Allocator& allocator = DefaultDevice().allocator();
  const auto net = Ready(GetParam());
  const Tensor x = MakeBatch(GetParam(), 16).x;
  const int64_t eager = PeakOf(*net, x);
  const int64_t before = allocator.stats().bytes_in_use;
  net->Hybridize({.static_alloc = true, .static_shape = true});
  allocator.ResetPeak();
  for (int call = 0; call < 3; ++call) (*net)(x);
  WaitAll();
  // Packed weights and the like are made while compiling, and are part of it.
  EXPECT_LE(allocator.stats().peak_bytes - before, eager + (int64_t{64} << 10));
}

// The shortest of several rounds of `calls`, in microseconds a call: what others do on the machine
// only makes a round longer.
double Microseconds(HybridBlock& net, const Tensor& x, int calls) {
  const auto start = std::chrono::steady_clock::now();
  for (int call = 0; call < calls; ++call) net(x);
  WaitAll();
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
  return time.count() / calls;
}

// R37 R55
TEST_P(CostTest, ACompiledCallIsFasterThanAnEagerOne) {
  const auto eager = Ready(GetParam()), compiled = Ready(GetParam()), replayed = Ready(GetParam());
  const Tensor x = MakeBatch(GetParam(), 1).x;
  compiled->Hybridize();
  replayed->Hybridize({.static_alloc = true, .static_shape = true});
  HybridBlock* const nets[] = {eager.get(), compiled.get(), replayed.get()};
  double best[] = {1e30, 1e30, 1e30};
  for (HybridBlock* net : nets) (*net)(x);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 3; ++i) best[i] = std::min(best[i], Microseconds(*nets[i], x, 50));
  }
  std::printf("%s: eager %.1f us, compiled %.1f us, static %.1f us\n", GetParam().name.c_str(),
              best[0], best[1], best[2]);
  EXPECT_LT(best[2], best[0]);
}

INSTANTIATE_TEST_SUITE_P(Networks, CostTest, testing::ValuesIn(Networks()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tandem
