// Philox 4x32-10, a counter-based random number generator: J. K. Salmon, M. A. Moraes, R. O. Dror,
// D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
// A block of four words is a function of a counter and a key, so any part of a stream can be drawn
// by any thread, at any time, with the same result.
//
//   uint32_t words[4 * 8];
//   isa_avx2::Philox(seed, /*first=*/0, /*blocks=*/8, words);
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_CPU_PHILOX_H_
#define TANDEM_BACKENDS_CPU_PHILOX_H_

#include <cstdint>

namespace tandem::cpu_backend {

#define TANDEM_DECLARE_PHILOX(isa)                                                                    \
  namespace isa {                                                                                     \
  /* The four words of the blocks first, first + 1, …, one block behind the other. The counter is \
     (first, `high`), words 0-1 and 2-3; the key is the seed. */ \
  void Philox(uint64_t seed, uint64_t first, uint64_t high, int64_t blocks, uint32_t* words);         \
                                                                                                      \
  /* u = (word >> 8) / 2^24 of each word, as low + u · range. */                                     \
  void Uniform(const uint32_t* words, int64_t n, float low, float range, float* out);                 \
  void Uniform(const uint32_t* words, int64_t n, double low, double range, double* out);              \
                                                                                                      \
  /* Box and Muller's normal numbers from the pairs (0, 1) and (2, 3) of each block. */               \
  void Normal(const uint32_t* words, int64_t blocks, float mean, float stddev, float* out);           \
  void Normal(const uint32_t* words, int64_t blocks, double mean, double stddev, double* out);        \
                                                                                                      \
  /* x · scale where word >> 8 is below the threshold, elsewhere 0. */                               \
  void Dropout(const uint32_t* words, const float* x, int64_t n, uint32_t threshold, float scale,     \
               float* out);                                                                           \
  void Dropout(const uint32_t* words, const double* x, int64_t n, uint32_t threshold,                 \
               double scale, double* out);                                                            \
  }
TANDEM_DECLARE_PHILOX(isa_baseline)
TANDEM_DECLARE_PHILOX(isa_avx2)
TANDEM_DECLARE_PHILOX(isa_avx512)
#undef TANDEM_DECLARE_PHILOX

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_PHILOX_H_
