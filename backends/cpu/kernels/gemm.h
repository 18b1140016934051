// Matrix products on raw arrays: what matmul and convolution are made of.
//
//   const GemmKernels<float>& kernels = GemmKernelsFor<float>(DetectIsa());
//   Gemm(kernels, {.m = 2, .n = 3, .k = 4, .a = a, .a_row = 4, .a_col = 1, .b = b, .b_row = 3,
//                  .b_col = 1, .c = c, .c_row = 3}, pool);  // c[2,3] = a[2,4] b[4,3]
//
// Strides are in elements and may be anything, so transposed operands cost no copy. Every result is
// one sum in ascending order of k (in parts of 256 terms where k is long), in an order that depends
// on the shapes and the strides alone: never on the number of threads.
// The blocking follows Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
// ACM TOMS 34(3), 2008.
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_GEMM_H_
#define TANDEM_BACKENDS_CPU_KERNELS_GEMM_H_

#include <cstdint>

#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/kernels/gemm_isa.h"
#include "tandem/backends/cpu/thread_pool.h"

namespace tandem::cpu_backend {

// T: float, double, uint32_t or uint64_t.
template <typename T>
const GemmKernels<T>& GemmKernelsFor(Isa isa);

// What is done with each part of a result as soon as it is final, while it is in a cache, by the
// thread that computed it. The parts are disjoint and cover the result.
struct GemmEpilogue {
  void (*run)(const void* context, int64_t row, int64_t rows, int64_t col, int64_t cols);
  const void* context;
};

template <typename T>
struct GemmArgs {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  const T* a = nullptr;  // a[i * a_row + k * a_col]
  int64_t a_row = 0;
  int64_t a_col = 1;
  const T* b = nullptr;  // b[k * b_row + j * b_col]
  int64_t b_row = 0;
  int64_t b_col = 1;
  T* c = nullptr;  // c[i * c_row + j]
  int64_t c_row = 0;
  const GemmEpilogue* epilogue = nullptr;  // null: none
};

// c = a b. c must not overlap a or b. Needs about 170 kB of stack, besides what the epilogue needs.
template <typename T>
void Gemm(const GemmKernels<T>& kernels, const GemmArgs<T>& args, CpuThreadPool& pool);

// The rows of block `index` if `rows` rows are cut into the fewest blocks of at most `most` rows,
// all as equal as possible: 16 rows by 14 give 8 and 8.
struct RowBlocks {
  RowBlocks(int64_t rows, int64_t most)
      : rows(rows),
        count((rows + most - 1) / most),
        size(count == 0 ? 0 : rows / count),
        larger(count == 0 ? 0 : rows % count) {}
  int64_t Begin(int64_t index) const { return index * size + (index < larger ? index : larger); }
  int64_t Size(int64_t index) const { return size + (index < larger); }
  int64_t rows;
  int64_t count;
  int64_t size;
  int64_t larger;
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_GEMM_H_
