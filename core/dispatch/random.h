// The random generator of the process: a seed and an offset into a counter-based stream.
//
// Random ops are pure functions of (seed, offset), computed with Philox 4x32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011), so a draw has the same bits on every
// device, eager and compiled. This generator only hands out the offsets.
//
//   SeedRandom(42);  // every later draw is repeatable
//
// Thread rules: any thread; draws of several threads interleave as they come.
#ifndef TANDEM_CORE_DISPATCH_RANDOM_H_
#define TANDEM_CORE_DISPATCH_RANDOM_H_

#include <cstdint>

namespace tandem {

void SeedRandom(uint64_t seed);

struct RandomOffset {
  uint64_t seed;
  uint64_t offset;  // in blocks of four 32-bit words
};
// Reserves `blocks` blocks and returns where they start.
RandomOffset ReserveRandom(int64_t blocks);

}  // namespace tandem

#endif  // TANDEM_CORE_DISPATCH_RANDOM_H_
