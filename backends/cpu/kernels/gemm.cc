#include "tandem/backends/cpu/kernels/gemm.h"

#include <algorithm>
#include <type_traits>

#include "tandem/backends/cpu/kernels/isa_table.h"

namespace tandem::cpu_backend {
namespace {

// Terms of a sum between two visits of the result: a packed panel of B then takes 32 kB.
constexpr int64_t kDepthBlock = 256;
// Panels of B that are packed together, to be met by each packed block of A.
constexpr int64_t kPanels = 4;
// Blocks of rows that share a packed group of panels.
constexpr int64_t kRowBlocks = 16;
// The largest values of GemmKernels: tiles are 14 rows high and 128 bytes wide.
constexpr int64_t kMaxTileRows = 14;
constexpr int64_t kMaxPanelBytes = 128;
// Up to here dot products are faster than packing B.
constexpr int64_t kDotRows = 15;
// Bytes of B that are rather read in place, once for each kTogether rows, than packed: they stay in the
// L2 cache.
constexpr int64_t kReadInPlace = int64_t{2} << 20;
// Rows that meet B's columns together, where those are read where they are.
constexpr int64_t kTogether = 64;
// Elements of a result of dot products that an epilogue gets at once, at most: some of 8 bytes fit the
// L1 cache.
constexpr int64_t kEpilogueElements = 2048;

// c[i, j] = sum_k a[i, k] b[j, k], both contiguous along k.
template <typename T>
void DotProducts(const GemmKernels<T>& kernels, const GemmArgs<T>& g, CpuThreadPool& pool) {
  // Reading b is the work while there are few rows.
  const int64_t work = g.k / 2 * (1 + g.m / 8);
  // One thread takes all columns at once: no sum depends on where they are cut.
  const int64_t grain = pool.threads() == 1 ? g.n : (GrainFor(work) + 7) / 8 * 8;
  // Strips of whole groups of columns: sums do not depend on where they are cut.
  const int64_t strip =
      g.epilogue == nullptr ? g.n : std::max<int64_t>(kEpilogueElements / g.m / 8 * 8, 8);
  pool.ParallelFor(g.n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j += strip) {
      const int64_t cols = std::min(strip, end - j);
      kernels.dot(g.m, cols, g.k, g.a, g.a_row, g.b + j * g.b_col, g.b_col, g.c + j, g.c_row);
      if (g.epilogue != nullptr) g.epilogue->run(g.epilogue->context, 0, g.m, j, cols);
    }
  });
}

// The same for more rows: the transpose of the result, whose left matrix, b's columns, is read where
// it is, and whose right one, a's rows, is packed, kTogether of them at a time.
template <typename T>
void TransposedTiles(const GemmKernels<T>& kernels, const GemmArgs<T>& g, CpuThreadPool& pool) {
  const int64_t nr = kernels.nr;
  const RowBlocks groups(g.m, kTogether);
  // Every part of the columns packs the rows once more: none are made that no thread waits for.
  const int64_t least = std::max<int64_t>(GrainFor(g.k * groups.Size(0) / 8), kernels.mr);
  const int64_t wanted = std::max<int64_t>(pool.threads() / groups.count, 1);
  const RowBlocks parts(g.n, std::max(least, (g.n + wanted - 1) / wanted));
  const int64_t work = groups.Size(0) * parts.Size(0) * std::min<int64_t>(g.k, 1 << 20) / 8;
  pool.ParallelFor(groups.count * parts.count, GrainFor(work), [&](int64_t first, int64_t last) {
    alignas(64) T packed[kTogether * kDepthBlock];
    for (int64_t task = first; task < last; ++task) {
      const int64_t row = groups.Begin(task / parts.count), rows = groups.Size(task / parts.count);
      const int64_t col = parts.Begin(task % parts.count), cols = parts.Size(task % parts.count);
      const RowBlocks blocks(cols, kernels.mr);
      for (int64_t k = 0; k < g.k; k += kDepthBlock) {
        const int64_t depth = std::min(kDepthBlock, g.k - k);
        for (int64_t i = 0; i < rows; i += nr) {
          kernels.pack_b(depth, std::min(nr, rows - i), g.a + (row + i) * g.a_row + k, 1, g.a_row,
                         packed + i * depth);
        }
        for (int64_t block = 0; block < blocks.count; ++block) {
          const int64_t j = col + blocks.Begin(block);
          for (int64_t i = 0; i < rows; i += nr) {
            kernels.tile_transposed(blocks.Size(block), std::min(nr, rows - i), depth,
                                    g.b + j * g.b_col + k, g.b_col, packed + i * depth,
                                    g.c + (row + i) * g.c_row + j, g.c_row, k > 0);
          }
        }
      }
      if (g.epilogue != nullptr) g.epilogue->run(g.epilogue->context, row, rows, col, cols);
    }
  });
}

// The columns of a row vector that are the rows of a column vector.
void RunTransposed(const void* context, int64_t row, int64_t rows, int64_t col, int64_t cols) {
  const auto& epilogue = *static_cast<const GemmEpilogue*>(context);
  epilogue.run(epilogue.context, col, cols, row, rows);
}

// One block of the result: `rows` rows from `row`, `cols` columns from `col`.
template <typename T>
void Block(const GemmKernels<T>& kernels, const GemmArgs<T>& g, int64_t row, int64_t rows,
           int64_t col, int64_t cols) {
  alignas(64) T packed_a[kMaxTileRows * kDepthBlock + kPackSlack];
  alignas(64) T packed_b[kPanels * kDepthBlock * kMaxPanelBytes / sizeof(T)];
  const RowBlocks blocks(rows, kernels.mr);
  // A matrix that is met by few rows only is read where it is. Its last panel would be read
  // beyond the end of a row, so that one is packed.
  const bool direct = g.b_col == 1 && blocks.count <= 2;
  for (int64_t k = 0; k < g.k; k += kDepthBlock) {
    const int64_t depth = std::min(kDepthBlock, g.k - k);
    const T* b = g.b + k * g.b_row + col * g.b_col;
    for (int64_t j = 0; j < cols; j += kernels.nr) {
      const int64_t width = std::min(kernels.nr, cols - j);
      if (direct && width == kernels.nr) continue;
      kernels.pack_b(depth, width, b + j * g.b_col, g.b_row, g.b_col, packed_b + j * depth);
    }
    for (int64_t i = 0; i < blocks.count; ++i) {
      const int64_t begin = row + blocks.Begin(i);
      const int64_t height = blocks.Size(i);
      kernels.pack_a(height, depth, g.a + begin * g.a_row + k * g.a_col, g.a_row, g.a_col,
                     packed_a);
      for (int64_t j = 0; j < cols; j += kernels.nr) {
        const int64_t width = std::min(kernels.nr, cols - j);
        const bool in_place = direct && width == kernels.nr;
        kernels.tile(height, width, depth, packed_a, in_place ? b + j : packed_b + j * depth,
                     in_place ? g.b_row : kernels.nr, g.c + begin * g.c_row + col + j, g.c_row,
                     k > 0);
      }
      if (g.epilogue != nullptr && k + depth == g.k) {
        g.epilogue->run(g.epilogue->context, begin, height, col, cols);
      }
    }
  }
}

}  // namespace

template <typename T>
const GemmKernels<T>& GemmKernelsFor(Isa isa) {
  return TANDEM_ISA_TABLE(GemmKernels<T>, FillGemmKernels, isa);
}

template <typename T>
void Gemm(const GemmKernels<T>& kernels, const GemmArgs<T>& g, CpuThreadPool& pool) {
  if (g.m == 0 || g.n == 0) return;
  if (g.k == 0) {
    for (int64_t i = 0; i < g.m; ++i) std::fill_n(g.c + i * g.c_row, g.n, T());
    if (g.epilogue != nullptr) g.epilogue->run(g.epilogue->context, 0, g.m, 0, g.n);
    return;
  }
  const bool contiguous_k = (g.a_col == 1 || g.k == 1) && (g.b_row == 1 || g.k == 1);
  if (contiguous_k && g.n == 1 && g.m > 1 && g.c_row == 1) {
    // A matrix times a vector is the vector times the matrix's transpose.
    const GemmEpilogue transposed = {&RunTransposed, g.epilogue};
    GemmArgs<T> swapped = {1, g.m, g.k, g.b, g.k, 1, g.a, 1, g.a_row, g.c, g.m};
    if (g.epilogue != nullptr) swapped.epilogue = &transposed;
    DotProducts(kernels, swapped, pool);
    return;
  }
  if (contiguous_k && g.m <= kDotRows) {
    DotProducts(kernels, g, pool);
    return;
  }
  if constexpr (std::is_floating_point_v<T>) {
    // (Of one term, B's rows may be the contiguous ones: those need no packing.)
    if (contiguous_k && g.b_col != 1 && g.n * g.k * int64_t{sizeof(T)} <= kReadInPlace) {
      TransposedTiles(kernels, g, pool);
      return;
    }
  }
  const int64_t group = kPanels * kernels.nr;
  const int64_t groups = (g.n + group - 1) / group;
  const RowBlocks rows(g.m, kRowBlocks * kernels.mr);
  // Eight multiplications and additions take about the time of one cheap elementwise operation.
  const int64_t work = rows.Size(0) * std::min(group, g.n) * std::min<int64_t>(g.k, 1 << 20) / 8;
  pool.ParallelFor(rows.count * groups, GrainFor(work), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row_block = task / groups;
      const int64_t col = task % groups * group;
      Block(kernels, g, rows.Begin(row_block), rows.Size(row_block), col,
            std::min(group, g.n - col));
    }
  });
}

#define TANDEM_INSTANTIATE_GEMM(T)                    \
  template const GemmKernels<T>& GemmKernelsFor(Isa); \
  template void Gemm(const GemmKernels<T>&, const GemmArgs<T>&, CpuThreadPool&)
TANDEM_INSTANTIATE_GEMM(float);
TANDEM_INSTANTIATE_GEMM(double);
TANDEM_INSTANTIATE_GEMM(uint32_t);
TANDEM_INSTANTIATE_GEMM(uint64_t);
#undef TANDEM_INSTANTIATE_GEMM

}  // namespace tandem::cpu_backend
