// What hybridizing buys in memory. What it buys in time, the benchmarks say (docs/performance.md): no
// test is timed. R37's row is that of //benchmarks:hybridize.

#include <cstdint>

#include "gtest/gtest.h"
#include "tandem/tests/e2e/networks.h"

namespace tandem {
namespace {

const HybridizeOptions kStatic{.static_alloc = true, .static_shape = true};

class CostTest : public testing::TestWithParam<Network> {};

// The most that one call takes above `before`, the bytes in use before there was a program: what a
// program keeps, such as its arena, counts.
int64_t PeakOf(HybridBlock& net, const Tensor& x, int64_t before) {
  Allocator& allocator = DefaultDevice().allocator();
  net(x);
  net(x);
  WaitAll();
  allocator.ResetPeak();
  const Tensor y = net(x);
  WaitAll();
  return allocator.stats().peak_bytes - before;
}

int64_t InUse() {
  WaitAll();
  return DefaultDevice().allocator().stats().bytes_in_use;
}

// R5 R37: with what the program keeps, such as an arena.
TEST_P(CostTest, ACompiledRunNeedsNoMoreMemoryThanAnEagerOne) {
  for (const int64_t size : {1, 16}) {
    const auto net = Ready(GetParam());
    const Tensor x = MakeBatch(GetParam(), size).x;
    const int64_t before = InUse();
    const int64_t eager = PeakOf(*net, x, before);
    EXPECT_GT(eager, 0);
    int64_t early = 0;
    if (GetParam().name == "Modal") {
      // Its eager peak lies in front, at the batch normalization, when there are no outputs yet. A
      // compiled run allocates its outputs first, so they come on top: this and no more.
      const Tensor y = (*net)(x);
      early = InUse() - before;
      EXPECT_GT(early, 0);
    }
    for (const HybridizeOptions& options : {HybridizeOptions{}, kStatic}) {
      net->Hybridize(options);
      EXPECT_LE(PeakOf(*net, x, before), eager + early)
          << "batch " << size << (options.static_alloc ? ", static" : "");
      net->Hybridize(false);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, CostTest, testing::ValuesIn(Networks()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tandem
