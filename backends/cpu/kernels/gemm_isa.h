// The inner loops of matrix products and convolutions, for each instruction set.
//
// Everything is built from one idea: a tile of `rows` x `cols` results is kept in registers while
// the sum runs, and every result is summed in ascending order of k, whichever tile it is in. So a
// result does not depend on how the work was cut, or on who else was computed beside it.
//
// The kinds of tiles:
//   * `tile`: vectors lie along the columns. The left matrix is packed as [k][rows], the right one
//     has rows of at least `nr` readable elements: packed ones, a matrix in memory (`b_row` apart),
//     or an image (`b_offsets[k]`: a convolution without im2col).
//   * `tile_transposed`: the same turned round, for a left matrix that is not worth packing: its rows
//     are read where they are, and vectors lie along the columns of a packed right matrix, which are
//     the rows of the result. (A transposed weight that fits the L2 cache.) `tile_rows_offsets` reads
//     the left rows so too, and the right ones at offsets. (A small convolution.)
//   * `dot`: vectors lie along k, for operands that both have contiguous k: a few rows against a
//     transposed weight, or the gradient of a convolution's weight.
//
// Element types are float, double, uint32_t and uint64_t (the last two also for signed integers,
// whose overflow wraps).
#ifndef TANDEM_BACKENDS_CPU_KERNELS_GEMM_ISA_H_
#define TANDEM_BACKENDS_CPU_KERNELS_GEMM_ISA_H_

#include <cstdint>

namespace tandem::cpu_backend {

// Elements that may be written behind a packed left matrix.
inline constexpr int64_t kPackSlack = 16;

template <typename T>
struct GemmKernels {
  int64_t mr = 0;        // most rows of a tile
  int64_t nr = 0;        // columns of a tile
  int64_t lanes = 0;     // elements of a vector
  int64_t dot_rows = 0;  // most rows of a dot tile

  // out[k * rows + i] = a[i * row_stride + k * col_stride]; rows <= mr. Needs room for kPackSlack
  // more elements.
  void (*pack_a)(int64_t rows, int64_t depth, const T* a, int64_t row_stride, int64_t col_stride,
                 T* out);
  // out[k * nr + j] = b[k * row_stride + j * col_stride], 0 for j >= cols; cols <= nr.
  void (*pack_b)(int64_t depth, int64_t cols, const T* b, int64_t row_stride, int64_t col_stride,
                 T* out);
  // c[i * c_row + j] (+)= sum_k a[k * rows + i] * b[k * b_row + j]; rows <= mr, cols <= nr.
  void (*tile)(int64_t rows, int64_t cols, int64_t depth, const T* a, const T* b, int64_t b_row,
               T* c, int64_t c_row, bool accumulate);
  // The same with b[b_offsets[k] + j]; floats only.
  void (*tile_offsets)(int64_t rows, int64_t cols, int64_t depth, const T* a, const T* b,
                       const int64_t* b_offsets, T* c, int64_t c_row, bool accumulate);
  // c[i * c_row + j] = sum_k a[i * a_row + k] * b[b_offsets[k] + j]; floats only.
  void (*tile_rows_offsets)(int64_t rows, int64_t cols, int64_t depth, const T* a, int64_t a_row,
                            const T* b, const int64_t* b_offsets, T* c, int64_t c_row);
  // c[j * c_row + i] (+)= sum_k a[i * a_row + k] * b[k * nr + j]; rows <= mr, cols <= nr; floats only.
  void (*tile_transposed)(int64_t rows, int64_t cols, int64_t depth, const T* a, int64_t a_row,
                          const T* b, T* c, int64_t c_row, bool accumulate);
  // c[i * c_row + j] = sum_k a[i * a_row + k] * b[j * b_row + k]; any rows and cols.
  void (*dot)(int64_t rows, int64_t cols, int64_t depth, const T* a, int64_t a_row, const T* b,
              int64_t b_row, T* c, int64_t c_row);
  // c[i * c_row + j] += sum over images n and k of a[n * a_image + i * a_row + k] *
  // b[n * b_image + b_offsets[j] + k]; floats only, any rows and cols.
  void (*dot_offsets)(int64_t rows, int64_t cols, int64_t depth, int64_t images, const T* a,
                      int64_t a_row, int64_t a_image, const T* b, const int64_t* b_offsets,
                      int64_t b_image, T* c, int64_t c_row);
  // to[i * to_row + j] = from[i * from_row + j].
  void (*copy_block)(int64_t rows, int64_t cols, const T* from, int64_t from_row, T* to,
                     int64_t to_row);
};

#define TANDEM_DECLARE_GEMM(isa)                \
  namespace isa {                               \
  void FillGemmKernels(GemmKernels<float>*);    \
  void FillGemmKernels(GemmKernels<double>*);   \
  void FillGemmKernels(GemmKernels<uint32_t>*); \
  void FillGemmKernels(GemmKernels<uint64_t>*); \
  }
TANDEM_DECLARE_GEMM(isa_baseline)
TANDEM_DECLARE_GEMM(isa_avx2)
TANDEM_DECLARE_GEMM(isa_avx512)
#undef TANDEM_DECLARE_GEMM

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_GEMM_ISA_H_
