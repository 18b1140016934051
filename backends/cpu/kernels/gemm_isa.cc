#include "tandem/backends/cpu/kernels/gemm_isa.h"

#include <type_traits>
#include <utility>

#include "tandem/backends/cpu/kernels/vector.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

// Accumulators, one row of the right matrix and one broadcast fill the registers.
constexpr int kTileVectors = 2;
constexpr int kTileRows = kVectorRegisters == 32 ? 14 : 6;
constexpr int kDotRows = kVectorRegisters == 32 ? 4 : 2;
constexpr int kDotCols = 4;

// Where row k of the right matrix begins.
struct RowStride {
  int64_t stride;
  TANDEM_INLINE int64_t operator()(int64_t k) const { return k * stride; }
};
struct RowOffsets {
  const int64_t* offsets;
  TANDEM_INLINE int64_t operator()(int64_t k) const { return offsets[k]; }
};

// c[i * c_row + j] (+)= the sums; cols <= kVectors vectors.
template <typename T, int kRows, int kVectors>
TANDEM_INLINE void StoreTile(const Vec<T> (&sums)[kVectors][kRows], int64_t cols, T* __restrict c,
                             int64_t c_row, bool accumulate) {
  constexpr int kWidth = kLanes<T>;
  if (cols == kVectors * kWidth) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        T* out = c + i * c_row + v * kWidth;
        Store(out, accumulate ? Load(out) + sums[v][i] : sums[v][i]);
      }
    }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int64_t count = cols - v * kWidth;
      if (count <= 0) continue;
      T* out = c + i * c_row + v * kWidth;
      StorePartial(out, accumulate ? LoadPartial(out, count) + sums[v][i] : sums[v][i], count);
    }
  }
}

template <typename T, int kRows, int kVectors, typename RowOf>
void Tile(int64_t cols, int64_t depth, const T* __restrict a, const T* __restrict b, RowOf row_of,
          T* __restrict c, int64_t c_row, bool accumulate) {
  Vec<T> sums[kVectors][kRows] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const T* row = b + row_of(k);
    Vec<T> right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = Load(row + v * kLanes<T>);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Vec<T> left = Splat(a[k * kRows + i]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[v][i] += left * right[v];
    }
  }
  StoreTile<T, kRows, kVectors>(sums, cols, c, c_row, accumulate);
}

// The sums of a tile whose left rows are read where they are, a_row apart.
template <typename T, int kRows, int kVectors, typename RowOf>
TANDEM_INLINE void SumRows(int64_t depth, const T* __restrict a, int64_t a_row,
                           const T* __restrict b, RowOf row_of, Vec<T> (&sums)[kVectors][kRows]) {
  // Three rows an address: an instruction reaches 0, 1 and 2 strides further.
  constexpr int kGroups = (kRows + 2) / 3;
  const T* rows[kGroups];
#pragma GCC unroll 16
  for (int i = 0; i < kGroups; ++i) rows[i] = a + 3 * i * a_row;
  for (int64_t k = 0; k < depth; ++k) {
    const T* row = b + row_of(k);
    Vec<T> right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = Load(row + v * kLanes<T>);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Vec<T> left = Splat(rows[i / 3][i % 3 * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[v][i] += left * right[v];
    }
#pragma GCC unroll 16
    for (int i = 0; i < kGroups; ++i) ++rows[i];
  }
}

template <typename T, int kRows, int kVectors>
void TileOfRows(int64_t cols, int64_t depth, const T* a, int64_t a_row, const T* b,
                const int64_t* b_offsets, T* c, int64_t c_row) {
  Vec<T> sums[kVectors][kRows] = {};
  SumRows<T, kRows, kVectors>(depth, a, a_row, b, RowOffsets{b_offsets}, sums);
  StoreTile<T, kRows, kVectors>(sums, cols, c, c_row, false);
}

// Calls Tile with `rows` as a constant; half as wide where that is enough.
template <typename T, typename RowOf, int kMaxRows, int... I>
TANDEM_INLINE void CallTile(int64_t rows, int64_t cols, int64_t depth, const T* a, const T* b,
                            RowOf row_of, T* c, int64_t c_row, bool accumulate,
                            std::integer_sequence<int, I...>) {
  if (cols <= kLanes<T>) {
    ((rows == I + 1 ? Tile<T, I + 1, 1>(cols, depth, a, b, row_of, c, c_row, accumulate) : void()),
     ...);
  } else {
    ((rows == I + 1 ? Tile<T, I + 1, kTileVectors>(cols, depth, a, b, row_of, c, c_row, accumulate)
                    : void()),
     ...);
  }
}

// Integers are not what speed is measured by: fewer variants keep the program small.
template <typename T>
constexpr int kRowsOf = std::is_floating_point_v<T> ? kTileRows : 4;

template <typename T>
void TileStride(int64_t rows, int64_t cols, int64_t depth, const T* a, const T* b, int64_t b_row,
                T* c, int64_t c_row, bool accumulate) {
  CallTile<T, RowStride, kRowsOf<T>>(rows, cols, depth, a, b, RowStride{b_row}, c, c_row,
                                     accumulate, std::make_integer_sequence<int, kRowsOf<T>>());
}

template <typename T>
void TileOffsets(int64_t rows, int64_t cols, int64_t depth, const T* a, const T* b,
                 const int64_t* b_offsets, T* c, int64_t c_row, bool accumulate) {
  CallTile<T, RowOffsets, kRowsOf<T>>(rows, cols, depth, a, b, RowOffsets{b_offsets}, c, c_row,
                                      accumulate, std::make_integer_sequence<int, kRowsOf<T>>());
}

// c[j * c_row + i], for the columns of one vector.
template <typename T, int kRows>
TANDEM_INLINE void StoreTransposed(const Vec<T> (&sums)[kRows], int64_t cols, T* c, int64_t c_row,
                                   bool accumulate) {
  constexpr int kWidth = kLanes<T>;
#pragma GCC unroll 16
  for (int begin = 0; begin < kRows; begin += kWidth) {
    const int count = kRows - begin < kWidth ? kRows - begin : kWidth;
    Vec<T> block[kWidth];
#pragma GCC unroll 16
    for (int i = 0; i < kWidth; ++i) {
      block[i] = begin + i < kRows ? sums[begin + i < kRows ? begin + i : 0] : Vec<T>{};
    }
    Transpose<T>(block);
#pragma GCC unroll 16
    for (int j = 0; j < kWidth; ++j) {
      if (j >= cols) break;
      T* out = c + j * c_row + begin;
      StorePartial(out, accumulate ? LoadPartial(out, count) + block[j] : block[j], count);
    }
  }
}

template <typename T, int kRows, int kVectors>
void TileTransposed(int64_t cols, int64_t depth, const T* __restrict a, int64_t a_row,
                    const T* __restrict b, T* __restrict c, int64_t c_row, bool accumulate) {
  constexpr int kWidth = kLanes<T>;
  Vec<T> sums[kVectors][kRows] = {};
  SumRows<T, kRows, kVectors>(depth, a, a_row, b, RowStride{kTileVectors * kWidth}, sums);
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    if (v * kWidth >= cols) break;
    StoreTransposed<T, kRows>(sums[v], cols - v * kWidth, c + v * kWidth * c_row, c_row,
                              accumulate);
  }
}

template <typename T, int... I>
TANDEM_INLINE void CallTileTransposed(int64_t rows, int64_t cols, int64_t depth, const T* a,
                                      int64_t a_row, const T* b, T* c, int64_t c_row,
                                      bool accumulate, std::integer_sequence<int, I...>) {
  if (cols <= kLanes<T>) {
    ((rows == I + 1 ? TileTransposed<T, I + 1, 1>(cols, depth, a, a_row, b, c, c_row, accumulate)
                    : void()),
     ...);
  } else {
    ((rows == I + 1
          ? TileTransposed<T, I + 1, kTileVectors>(cols, depth, a, a_row, b, c, c_row, accumulate)
          : void()),
     ...);
  }
}

template <typename T, int... I>
TANDEM_INLINE void CallTileOfRows(int64_t rows, int64_t cols, int64_t depth, const T* a,
                                  int64_t a_row, const T* b, const int64_t* b_offsets, T* c,
                                  int64_t c_row, std::integer_sequence<int, I...>) {
  if (cols <= kLanes<T>) {
    ((rows == I + 1 ? TileOfRows<T, I + 1, 1>(cols, depth, a, a_row, b, b_offsets, c, c_row)
                    : void()),
     ...);
  } else {
    ((rows == I + 1
          ? TileOfRows<T, I + 1, kTileVectors>(cols, depth, a, a_row, b, b_offsets, c, c_row)
          : void()),
     ...);
  }
}

template <typename T>
void TileRowsOffsets(int64_t rows, int64_t cols, int64_t depth, const T* a, int64_t a_row,
                     const T* b, const int64_t* b_offsets, T* c, int64_t c_row) {
  CallTileOfRows<T>(rows, cols, depth, a, a_row, b, b_offsets, c, c_row,
                    std::make_integer_sequence<int, kRowsOf<T>>());
}

template <typename T>
void TileTransposedOf(int64_t rows, int64_t cols, int64_t depth, const T* a, int64_t a_row,
                      const T* b, T* c, int64_t c_row, bool accumulate) {
  CallTileTransposed<T>(rows, cols, depth, a, a_row, b, c, c_row, accumulate,
                        std::make_integer_sequence<int, kRowsOf<T>>());
}

template <typename T>
void PackA(int64_t rows, int64_t depth, const T* a, int64_t row_stride, int64_t col_stride,
           T* __restrict out) {
  constexpr int kWidth = kLanes<T>;
  int64_t k = 0;
  if (col_stride == 1 && rows <= kWidth) {
    // Whole vectors are stored, the next one over the end of the last.
    for (; k + kWidth <= depth; k += kWidth) {
      Vec<T> block[kWidth];
      for (int i = 0; i < kWidth; ++i)
        block[i] = i < rows ? Load(a + i * row_stride + k) : Vec<T>{};
      Transpose<T>(block);
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) Store(out + (k + i) * rows, block[i]);
    }
  }
  for (; k < depth; ++k) {
    for (int64_t i = 0; i < rows; ++i) out[k * rows + i] = a[i * row_stride + k * col_stride];
  }
}

template <typename T>
void PackB(int64_t depth, int64_t cols, const T* b, int64_t row_stride, int64_t col_stride,
           T* __restrict out) {
  constexpr int kWidth = kLanes<T>;
  constexpr int kCols = kTileVectors * kWidth;
  int64_t k = 0;
  if (col_stride == 1) {
    if (cols == kCols) {
      for (; k < depth; ++k) {
#pragma GCC unroll 4
        for (int v = 0; v < kTileVectors; ++v) {
          Store(out + k * kCols + v * kWidth, Load(b + k * row_stride + v * kWidth));
        }
      }
      return;
    }
    for (; k < depth; ++k) {
      for (int j = 0; j < kCols; ++j) out[k * kCols + j] = j < cols ? b[k * row_stride + j] : T();
    }
    return;
  }
  if (row_stride == 1) {
    for (; k + kWidth <= depth; k += kWidth) {
      for (int v = 0; v < kTileVectors; ++v) {
        Vec<T> block[kWidth];
        for (int i = 0; i < kWidth; ++i) {
          const int64_t j = v * kWidth + i;
          block[i] = j < cols ? Load(b + j * col_stride + k) : Vec<T>{};
        }
        Transpose<T>(block);
#pragma GCC unroll 16
        for (int i = 0; i < kWidth; ++i) Store(out + (k + i) * kCols + v * kWidth, block[i]);
      }
    }
  }
  for (; k < depth; ++k) {
    for (int j = 0; j < kCols; ++j) {
      out[k * kCols + j] = j < cols ? b[k * row_stride + j * col_stride] : T();
    }
  }
}

template <typename T, int kRows, int kCols>
TANDEM_INLINE void DotStep(const Vec<T> (&left)[kRows], const Vec<T> (&right)[kCols],
                           Vec<T> (&sums)[kRows][kCols]) {
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kCols; ++j) sums[i][j] += left[i] * right[j];
  }
}

// Columns beyond the matrix repeat its last one and are not stored.
template <typename T, int kRows, int kCols>
TANDEM_INLINE void DotTile(int64_t cols, int64_t depth, int64_t images, const T* a, int64_t a_row,
                           int64_t a_image, const T* const (&b)[kCols], int64_t b_image, T* c,
                           int64_t c_row, bool accumulate) {
  constexpr int kWidth = kLanes<T>;
  Vec<T> sums[kRows][kCols] = {};
  for (int64_t n = 0; n < images; ++n) {
    const T* a_at = a + n * a_image;
    const int64_t b_at = n * b_image;
    int64_t k = 0;
    for (; k + kWidth <= depth; k += kWidth) {
      Vec<T> left[kRows], right[kCols];
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) left[i] = Load(a_at + i * a_row + k);
#pragma GCC unroll 8
      for (int j = 0; j < kCols; ++j) right[j] = Load(b[j] + b_at + k);
      DotStep<T, kRows, kCols>(left, right, sums);
    }
    if (k < depth) {
      Vec<T> left[kRows], right[kCols];
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) left[i] = LoadPartial(a_at + i * a_row + k, depth - k);
#pragma GCC unroll 8
      for (int j = 0; j < kCols; ++j) right[j] = LoadPartial(b[j] + b_at + k, depth - k);
      DotStep<T, kRows, kCols>(left, right, sums);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    T* const out = c + i * c_row;
    if constexpr (kCols <= kWidth && sizeof(T) >= 4) {
      const int64_t count = cols < kCols ? cols : kCols;
      Vec<T> sum = SumEach<T, kCols>(sums[i]);
      if (accumulate) sum = LoadPartial(out, count) + sum;
      StorePartial(out, sum, count);
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < kCols; ++j) {
        if (j < cols) {
          const T sum = Sum<T>(sums[i][j]);
          out[j] = accumulate ? out[j] + sum : sum;
        }
      }
    }
  }
}

template <typename T, int kRows, int kCols, typename RowOf>
void DotStrip(int64_t cols, int64_t depth, int64_t images, const T* a, int64_t a_row,
              int64_t a_image, const T* b, RowOf row_of, int64_t b_image, T* c, int64_t c_row,
              bool accumulate) {
  for (int64_t j = 0; j < cols; j += kCols) {
    const T* columns[kCols];
    for (int i = 0; i < kCols; ++i) columns[i] = b + row_of(j + i < cols ? j + i : cols - 1);
    DotTile<T, kRows, kCols>(cols - j, depth, images, a, a_row, a_image, columns, b_image, c + j,
                             c_row, accumulate);
  }
}

template <typename T>
void Dot(int64_t rows, int64_t cols, int64_t depth, const T* a, int64_t a_row, const T* b,
         int64_t b_row, T* c, int64_t c_row) {
  // A strip of the right matrix stays in the L1 cache for all rows.
  constexpr int kStrip = 2 * kDotCols;
  const auto strip = [&](int64_t j, int64_t width) {
    const T* bj = b + j * b_row;
    T* cj = c + j;
    int64_t i = 0;
    const RowStride row_of{b_row};
    for (; i + kDotRows <= rows; i += kDotRows) {
      DotStrip<T, kDotRows, kDotCols>(width, depth, 1, a + i * a_row, a_row, 0, bj, row_of, 0,
                                      cj + i * c_row, c_row, false);
    }
    if constexpr (kDotRows > 2) {
      if (i + 2 <= rows) {
        DotStrip<T, 2, kDotCols>(width, depth, 1, a + i * a_row, a_row, 0, bj, row_of, 0,
                                 cj + i * c_row, c_row, false);
        i += 2;
      }
    }
    if (i < rows) {
      DotStrip<T, 1, kDotCols>(width, depth, 1, a + i * a_row, a_row, 0, bj, row_of, 0,
                               cj + i * c_row, c_row, false);
    }
  };
  if (rows == 1) return strip(0, cols);
  for (int64_t j = 0; j < cols; j += kStrip) strip(j, cols - j < kStrip ? cols - j : kStrip);
}

template <typename T>
void DotOffsets(int64_t rows, int64_t cols, int64_t depth, int64_t images, const T* a,
                int64_t a_row, int64_t a_image, const T* b, const int64_t* b_offsets,
                int64_t b_image, T* c, int64_t c_row) {
  const RowOffsets row_of{b_offsets};
  int64_t i = 0;
  for (; i + kDotRows <= rows; i += kDotRows) {
    DotStrip<T, kDotRows, kDotCols>(cols, depth, images, a + i * a_row, a_row, a_image, b, row_of,
                                    b_image, c + i * c_row, c_row, true);
  }
  if constexpr (kDotRows > 2) {
    if (i + 2 <= rows) {
      DotStrip<T, 2, kDotCols>(cols, depth, images, a + i * a_row, a_row, a_image, b, row_of,
                               b_image, c + i * c_row, c_row, true);
      i += 2;
    }
  }
  if (i < rows) {
    DotStrip<T, 1, kDotCols>(cols, depth, images, a + i * a_row, a_row, a_image, b, row_of, b_image,
                             c + i * c_row, c_row, true);
  }
}

template <typename T>
void CopyBlock(int64_t rows, int64_t cols, const T* from, int64_t from_row, T* to, int64_t to_row) {
  constexpr int kWidth = kLanes<T>;
  for (int64_t i = 0; i < rows; ++i, from += from_row, to += to_row) {
    int64_t j = 0;
    for (; j + kWidth <= cols; j += kWidth) Store(to + j, Load(from + j));
    if (j < cols) StorePartial(to + j, LoadPartial(from + j, cols - j), cols - j);
  }
}

template <typename T>
TANDEM_INLINE void Fill(GemmKernels<T>* kernels) {
  kernels->mr = kRowsOf<T>;
  kernels->nr = kTileVectors * kLanes<T>;
  kernels->lanes = kLanes<T>;
  kernels->dot_rows = kDotRows;
  kernels->pack_a = &PackA<T>;
  kernels->pack_b = &PackB<T>;
  kernels->tile = &TileStride<T>;
  kernels->dot = &Dot<T>;
  kernels->copy_block = &CopyBlock<T>;
  if constexpr (std::is_floating_point_v<T>) {
    kernels->tile_rows_offsets = &TileRowsOffsets<T>;
    kernels->tile_transposed = &TileTransposedOf<T>;
    kernels->tile_offsets = &TileOffsets<T>;
    kernels->dot_offsets = &DotOffsets<T>;
  }
}

}  // namespace

void FillGemmKernels(GemmKernels<float>* kernels) { Fill(kernels); }
void FillGemmKernels(GemmKernels<double>* kernels) { Fill(kernels); }
void FillGemmKernels(GemmKernels<uint32_t>* kernels) { Fill(kernels); }
void FillGemmKernels(GemmKernels<uint64_t>* kernels) { Fill(kernels); }

}  // namespace tandem::cpu_backend::TANDEM_ISA
