#include "tandem/backends/cpu/strided.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tandem::cpu_backend {
namespace {

// Elements of a side of a block in a transposition: at least half a cache line, and a block fits the
// L1 cache.
constexpr int64_t kBlock = 32;

// The same element n times, sixteen bytes at a time: the compiler does not vectorize a loop of unknown
// length at -O2, and a bias of each channel is repeated for every element of an image.
template <typename T>
void Fill(T value, int64_t n, T* out) {
  constexpr int64_t kElements = 16 / sizeof(T);
  if (n < kElements) {
    for (int64_t i = 0; i < n; ++i) out[i] = value;
    return;
  }
  T block[kElements];
  for (T& element : block) element = value;
  for (int64_t i = 0; i + kElements <= n; i += kElements)
    std::memcpy(out + i, block, sizeof(block));
  // The last block lies over the end of the one before it.
  std::memcpy(out + n - kElements, block, sizeof(block));
}

// The elements index … of one dimension.
template <typename T>
void CopyRow(const T* source, int64_t stride, int64_t n, T* out) {
  if (stride == 1 && n >= 16) {
    std::memcpy(out, source, n * sizeof(T));
  } else if (stride == 0) {
    Fill(*source, n, out);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = source[i * stride];
  }
}

template <typename T>
void Gather(const StridedGeometry& g, const T* source, int64_t begin, int64_t n, T* out) {
  if (g.rank == 0) {
    if (n > 0) *out = *source;
    return;
  }
  const int inner = static_cast<int>(g.rank) - 1;
  int64_t index[kMaxRank];
  int64_t rest = begin;
  for (int d = inner; d >= 0; --d) {
    index[d] = rest % g.dims[d];
    rest /= g.dims[d];
    source += index[d] * g.strides[d];
  }
  for (;;) {
    const int64_t length = std::min(n, g.dims[inner] - index[inner]);
    CopyRow(source, g.strides[inner], length, out);
    out += length;
    n -= length;
    if (n == 0) return;
    // To the start of the next row.
    source -= index[inner] * g.strides[inner];
    index[inner] = 0;
    for (int d = inner - 1; d >= 0; --d) {
      source += g.strides[d];
      if (++index[d] < g.dims[d]) break;
      source -= g.dims[d] * g.strides[d];
      index[d] = 0;
    }
  }
}

// A view of a geometry as a batch of matrices, rows of which are contiguous in the source and
// columns in the output.
struct Transposition {
  int row_axis = -1;  // the axis of stride 1
  int64_t rows = 0, columns = 0;
};

Transposition FindTransposition(const StridedGeometry& g) {
  Transposition t;
  if (g.rank < 2) return t;
  const int inner = static_cast<int>(g.rank) - 1;
  const int64_t inner_stride = std::abs(g.strides[inner]);
  if (inner_stride < 4 || g.dims[inner] < 4) return t;
  for (int d = 0; d < inner; ++d) {
    if (g.strides[d] == 1 && g.dims[d] >= 4) t = {d, g.dims[d], g.dims[inner]};
  }
  return t;
}

template <typename T>
void Transpose(const StridedGeometry& g, const Transposition& t, const T* source, T* out,
               CpuThreadPool& pool) {
  const int inner = static_cast<int>(g.rank) - 1;
  int64_t out_strides[kMaxRank];
  int64_t batches = 1;
  out_strides[inner] = 1;
  for (int d = inner - 1; d >= 0; --d) out_strides[d] = out_strides[d + 1] * g.dims[d + 1];
  for (int d = 0; d < inner; ++d) {
    if (d != t.row_axis) batches *= g.dims[d];
  }
  const int64_t row_blocks = (t.rows + kBlock - 1) / kBlock;
  const int64_t from_stride = g.strides[inner], to_stride = out_strides[t.row_axis];
  pool.ParallelFor(
      batches * row_blocks, GrainFor(kBlock * t.columns), [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          int64_t batch = item / row_blocks;
          const int64_t row = item % row_blocks * kBlock;
          const int64_t rows = std::min(kBlock, t.rows - row);
          const T* from = source + row;
          T* to = out + row * to_stride;
          for (int d = inner - 1; d >= 0; --d) {
            if (d == t.row_axis) continue;
            from += batch % g.dims[d] * g.strides[d];
            to += batch % g.dims[d] * out_strides[d];
            batch /= g.dims[d];
          }
          for (int64_t column = 0; column < t.columns; column += kBlock) {
            const int64_t columns = std::min(kBlock, t.columns - column);
            // Through a block of its own: lines that are a power of two apart, as those of many
            // matrices, would drive each other out of the cache before they are used up.
            T block[kBlock][kBlock];
            constexpr int64_t kAhead = 16, kLine = std::max<int64_t>(1, 64 / sizeof(T));
            for (int64_t c = 0; c < columns; ++c) {
              const T* line = from + (column + c) * from_stride;
              // The hardware does not foresee strides beyond a page, so say what comes.
              const T* next = from + std::min(column + c + kAhead, t.columns - 1) * from_stride;
              for (int64_t r = 0; r < rows; r += kLine) __builtin_prefetch(next + r);
              for (int64_t r = 0; r < rows; ++r) block[r][c] = line[r];
            }
            for (int64_t r = 0; r < rows; ++r) {
              std::memcpy(to + r * to_stride + column, block[r], columns * sizeof(T));
            }
          }
        }
      });
}

template <typename T>
void Copy(const StridedGeometry& g, const T* source, T* out, CpuThreadPool& pool) {
  const Transposition t = FindTransposition(g);
  if (t.row_axis >= 0) {
    Transpose(g, t, source, out, pool);
    return;
  }
  int64_t n = 1;
  for (int d = 0; d < g.rank; ++d) n *= g.dims[d];
  pool.ParallelFor(n, kParallelWork, [&](int64_t begin, int64_t end) {
    Gather(g, source, begin, end - begin, out + begin);
  });
}

// Calls fn with a zero of an unsigned type of `element_size` bytes.
template <typename Fn>
void DispatchSize(int64_t element_size, Fn fn) {
  switch (element_size) {
    case 1:
      return fn(uint8_t{});
    case 2:
      return fn(uint16_t{});
    case 4:
      return fn(uint32_t{});
    default:
      return fn(uint64_t{});
  }
}

}  // namespace

StridedGeometry StridedGeometry::Of(const TensorLayout& layout, const Shape& shape) {
  StridedGeometry g;
  const Shape& own = layout.spec.shape;
  const int added = shape.rank() - own.rank();
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == 1) continue;
    const int i = d - added;
    const int64_t stride = i < 0 || own[i] == 1 ? 0 : layout.strides[i];
    if (g.rank > 0 && g.strides[g.rank - 1] == stride * shape[d]) {
      g.dims[g.rank - 1] *= shape[d];
      g.strides[g.rank - 1] = stride;
    } else {
      g.dims[g.rank] = shape[d];
      g.strides[g.rank] = stride;
      ++g.rank;
    }
  }
  return g;
}

int64_t ContiguousOffset(const StridedGeometry& geometry, int64_t begin, int64_t n) {
  const int inner = static_cast<int>(geometry.rank) - 1;
  if (inner < 0 || geometry.strides[inner] != 1) return kNotContiguous;
  const int64_t at = begin % geometry.dims[inner];
  if (at + n > geometry.dims[inner]) return kNotContiguous;
  int64_t offset = at;
  int64_t rest = begin / geometry.dims[inner];
  for (int d = inner - 1; d > 0; --d) {
    offset += rest % geometry.dims[d] * geometry.strides[d];
    rest /= geometry.dims[d];
  }
  return inner == 0 ? offset : offset + rest * geometry.strides[0];
}

void GatherStrided(const StridedGeometry& geometry, int64_t element_size, const std::byte* source,
                   int64_t begin, int64_t n, std::byte* out) {
  if (n <= 0) return;
  DispatchSize(element_size, [&](auto zero) {
    using T = decltype(zero);
    Gather(geometry, reinterpret_cast<const T*>(source), begin, n, reinterpret_cast<T*>(out));
  });
}

void CopyStrided(const StridedGeometry& geometry, int64_t element_size, const std::byte* source,
                 std::byte* out, CpuThreadPool& pool) {
  DispatchSize(element_size, [&](auto zero) {
    using T = decltype(zero);
    Copy(geometry, reinterpret_cast<const T*>(source), reinterpret_cast<T*>(out), pool);
  });
}

}  // namespace tandem::cpu_backend
