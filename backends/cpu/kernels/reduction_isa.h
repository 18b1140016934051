// The inner loops of reductions, for each instruction set.
//
// Sums of f32 run in several vector lanes over blocks of some thousand terms, and the blocks' sums
// are added in f64: fast, and with an error that does not grow with the length. Integers are summed
// in 64 bits and wrap.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_REDUCTION_ISA_H_
#define TANDEM_BACKENDS_CPU_KERNELS_REDUCTION_ISA_H_

#include <cstdint>
#include <type_traits>

namespace tandem::cpu_backend {

enum class ReduceOp : uint8_t { kSum, kProd, kMax, kMin };

// What results are gathered in.
template <typename T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;

// Columns that `rows` can take at once.
inline constexpr int64_t kReduceColumns = 256;

template <typename T>
struct ReduceKernels {
  // Reduces x[i * stride], i < n, into *into.
  void (*run)(ReduceOp op, const T* x, int64_t n, int64_t stride, Accumulator<T>* into);
  // Reduces x[r * row_stride + j * col_stride], r < rows, into into[j], for j < columns <=
  // kReduceColumns.
  void (*rows)(ReduceOp op, const T* x, int64_t rows, int64_t row_stride, int64_t columns,
               int64_t col_stride, Accumulator<T>* into);
};

#define TANDEM_DECLARE_REDUCE(isa)                 \
  namespace isa {                                  \
  void FillReduceKernels(ReduceKernels<float>*);   \
  void FillReduceKernels(ReduceKernels<double>*);  \
  void FillReduceKernels(ReduceKernels<int8_t>*);  \
  void FillReduceKernels(ReduceKernels<uint8_t>*); \
  void FillReduceKernels(ReduceKernels<int16_t>*); \
  void FillReduceKernels(ReduceKernels<int32_t>*); \
  void FillReduceKernels(ReduceKernels<int64_t>*); \
  }
TANDEM_DECLARE_REDUCE(isa_baseline)
TANDEM_DECLARE_REDUCE(isa_avx2)
TANDEM_DECLARE_REDUCE(isa_avx512)
#undef TANDEM_DECLARE_REDUCE

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_REDUCTION_ISA_H_
