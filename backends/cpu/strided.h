// Strided and broadcast arrays as sequences: the elements in row-major order of a shape, read with
// any strides.
//
//   StridedGeometry g = StridedGeometry::Of(layout, shape);
//   GatherStrided(g, /*element_size=*/4, source, /*begin=*/0, n, out);
//
// Thread rules: pure functions; CopyStrided uses the pool.
#ifndef TANDEM_BACKENDS_CPU_STRIDED_H_
#define TANDEM_BACKENDS_CPU_STRIDED_H_

#include <cstddef>
#include <cstdint>

#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/tensor/shape.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::cpu_backend {

// Dimensions, outermost first, with the elements to step for each. As few as describe the order:
// dimensions of one element are left out, and neighbours that step alike are one.
struct StridedGeometry {
  int64_t rank = 0;
  int64_t dims[kMaxRank];
  int64_t strides[kMaxRank];

  // `layout` broadcast to `shape`, which its own shape must fit; without the offset.
  static StridedGeometry Of(const TensorLayout& layout, const Shape& shape);

  bool is_contiguous() const { return rank == 0 || (rank == 1 && strides[0] == 1); }
  bool is_uniform() const { return rank == 1 && strides[0] == 0; }  // one element, repeated
};

// Where the elements begin … begin+n-1 of the sequence lie, if they are neighbours in a dimension of
// stride 1: elements from the source. kNotContiguous otherwise. n >= 1.
inline constexpr int64_t kNotContiguous = INT64_MIN;
int64_t ContiguousOffset(const StridedGeometry& geometry, int64_t begin, int64_t n);

// Writes the elements begin … begin+n-1 of the sequence to `out`. `element_size` is 1, 2, 4 or 8.
void GatherStrided(const StridedGeometry& geometry, int64_t element_size, const std::byte* source,
                   int64_t begin, int64_t n, std::byte* out);

// Writes all elements. Transposes block by block, so that both sides use whole cache lines.
void CopyStrided(const StridedGeometry& geometry, int64_t element_size, const std::byte* source,
                 std::byte* out, CpuThreadPool& pool);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_STRIDED_H_
