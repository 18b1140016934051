// A stable sort of indices on the device: for each slice that indices name, the positions that name
// it, in their order. It makes sums over them (the gradient of gather) deterministic without float
// atomics.
//
//   const SortedIndices sorted = SortIndices(b, IndicesOf(b, request, 1), count, size);
//   // slice s is named at the positions sorted.pairs[sorted.starts[s] … sorted.starts[s+1] - 1].y
//
// Up to kMostRanked indices are ranked by counting, in one step; more by a radix sort of 8 bits a
// pass (N. Satish, M. Harris, M. Garland, "Designing Efficient Sorting Algorithms for Manycore GPUs",
// IPDPS 2009), of as many passes as the indexed axis needs.
//
// Thread rules: those of the builder.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_INDEXING_INDEX_SORT_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_INDEXING_INDEX_SORT_H_

#include <cstdint>

#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"

namespace tandem::vulkan_backend {

inline constexpr int64_t kMostRanked = 2048;

struct SortedIndices {
  Operand pairs;   // count × (clipped index, position), 32 bits each
  Operand starts;  // size + 1 × 32 bits
};

// Adds the steps. `count` >= 1 and `size` >= 1, both below 2^31.
SortedIndices SortIndices(KernelBuilder& builder, const IndexOperand& indices, int64_t count,
                          int64_t size);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_INDEXING_INDEX_SORT_H_
