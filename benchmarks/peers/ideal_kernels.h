// Loops that do the work of some workloads and nothing else: the limits that the peer benchmark
// prints beside what frameworks take. Shapes are fixed, nothing is checked, nothing is allocated.
//
// Thread rules: the parts of one call may run at the same time.
#ifndef TANDEM_BENCHMARKS_PEERS_IDEAL_KERNELS_H_
#define TANDEM_BENCHMARKS_PEERS_IDEAL_KERNELS_H_

#include <cstdint>

namespace tandem::benchmarks::ideal {

// Rows of a packed weight that are computed together: four vectors of 16.
inline constexpr int64_t kPanel = 64;

// y[r] = bias[r] + Σ packed[k][r] · x[k] for the kPanel rows of one panel, where packed is
// (columns, kPanel). With `relu`, its positive part.
void GemvPanel(const float* packed, const float* x, const float* bias, int64_t columns, bool relu,
               float* y);
// The same for four rows of a weight as it lies, (…, columns); columns is a multiple of 16.
void GemvRows(const float* rows, const float* x, const float* bias, int64_t columns, bool relu,
              float* y);
// One row.
float Dot(const float* row, const float* x, int64_t columns);

// The chains of workload.h over n floats, read once and written once; with `stream`, past the caches
// (y on a multiple of 64 bytes).
void CheapOps(const float* x, float* y, int64_t n, bool stream);
void MixedOps(const float* x, float* y, int64_t n, bool stream);

}  // namespace tandem::benchmarks::ideal

#endif  // TANDEM_BENCHMARKS_PEERS_IDEAL_KERNELS_H_
