#include "tandem/backends/cpu/kernels/reduction_isa.h"

#include "tandem/backends/cpu/kernels/vector.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

// Terms that are added in the element type before the sum moves to the accumulator.
constexpr int64_t kBlock = 4096;
constexpr int64_t kBlockRows = 64;

TANDEM_INLINE double Add(double a, double b) { return a + b; }
TANDEM_INLINE double Multiply(double a, double b) { return a * b; }
// Signed overflow wraps.
TANDEM_INLINE int64_t Add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
TANDEM_INLINE int64_t Multiply(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
// A NaN stays.
template <typename A>
TANDEM_INLINE A Max(A a, A b) {
  return a > b || a != a ? a : b;
}
template <typename A>
TANDEM_INLINE A Min(A a, A b) {
  return a < b || a != a ? a : b;
}

template <ReduceOp kOp, typename A>
TANDEM_INLINE A Apply(A a, A b) {
  if constexpr (kOp == ReduceOp::kSum) return Add(a, b);
  if constexpr (kOp == ReduceOp::kProd) return Multiply(a, b);
  if constexpr (kOp == ReduceOp::kMax) return Max(a, b);
  if constexpr (kOp == ReduceOp::kMin) return Min(a, b);
}

template <typename T>
double SumContiguous(const T* x, int64_t n) {
  constexpr int kWidth = kLanes<T>;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = n - begin < kBlock ? n : begin + kBlock;
    Vec<T> sums[4] = {};
    int64_t i = begin;
    for (; i + 4 * kWidth <= end; i += 4 * kWidth) {
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[v] += Load(x + i + v * kWidth);
    }
    for (; i + kWidth <= end; i += kWidth) sums[0] += Load(x + i);
    double tail = 0;
    for (; i < end; ++i) tail += x[i];
    total += Sum<T>((sums[0] + sums[1]) + (sums[2] + sums[3])) + tail;
  }
  return total;
}

template <ReduceOp kOp, typename T>
TANDEM_INLINE Vec<T> Extreme(Vec<T> a, Vec<T> b) {
  // Keeps a NaN that is in `a`; one in `b` is taken because the comparison is false.
  if constexpr (kOp == ReduceOp::kMax) {
    return ((a > b) | (a != a)) ? a : b;
  } else {
    return ((a < b) | (a != a)) ? a : b;
  }
}

// n >= kLanes<T>.
template <ReduceOp kOp, typename T>
T ExtremeContiguous(const T* x, int64_t n) {
  constexpr int kWidth = kLanes<T>;
  Vec<T> best[2] = {Load(x), Load(x)};
  int64_t i = 0;
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    best[0] = Extreme<kOp, T>(best[0], Load(x + i));
    best[1] = Extreme<kOp, T>(best[1], Load(x + i + kWidth));
  }
  if (i + kWidth <= n) best[0] = Extreme<kOp, T>(best[0], Load(x + i));
  // The last vector overlaps what was seen, which changes nothing.
  best[1] = Extreme<kOp, T>(best[1], Load(x + n - kWidth));
  best[0] = Extreme<kOp, T>(best[0], best[1]);
  T result = best[0][0];
  for (int lane = 1; lane < kWidth; ++lane) result = Apply<kOp, T>(result, best[0][lane]);
  return result;
}

template <ReduceOp kOp, typename T>
TANDEM_INLINE void RunOp(const T* x, int64_t n, int64_t stride, Accumulator<T>* into) {
  using A = Accumulator<T>;
  if constexpr (std::is_floating_point_v<T> && kOp == ReduceOp::kSum) {
    if (stride == 1) {
      *into += SumContiguous(x, n);
      return;
    }
  }
  if constexpr (std::is_floating_point_v<T> && (kOp == ReduceOp::kMax || kOp == ReduceOp::kMin)) {
    if (stride == 1 && n >= kLanes<T>) {
      *into = Apply<kOp, A>(*into, ExtremeContiguous<kOp>(x, n));
      return;
    }
  }
  A result = *into;
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) result = Apply<kOp, A>(result, x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) result = Apply<kOp, A>(result, x[i * stride]);
  }
  *into = result;
}

template <ReduceOp kOp, typename T>
TANDEM_INLINE void RowsOp(const T* x, int64_t rows, int64_t row_stride, int64_t columns,
                          int64_t col_stride, Accumulator<T>* __restrict into) {
  using A = Accumulator<T>;
  if constexpr (std::is_floating_point_v<T> && kOp == ReduceOp::kSum) {
    if (col_stride == 1) {
      T sums[kReduceColumns];
      for (int64_t begin = 0; begin < rows; begin += kBlockRows) {
        const int64_t end = rows - begin < kBlockRows ? rows : begin + kBlockRows;
        const T* first = x + begin * row_stride;
        for (int64_t j = 0; j < columns; ++j) sums[j] = first[j];
        for (int64_t r = begin + 1; r < end; ++r) {
          const T* row = x + r * row_stride;
          for (int64_t j = 0; j < columns; ++j) sums[j] += row[j];
        }
        for (int64_t j = 0; j < columns; ++j) into[j] += sums[j];
      }
      return;
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * row_stride;
    if (col_stride == 1) {
      for (int64_t j = 0; j < columns; ++j) into[j] = Apply<kOp, A>(into[j], row[j]);
    } else {
      for (int64_t j = 0; j < columns; ++j) into[j] = Apply<kOp, A>(into[j], row[j * col_stride]);
    }
  }
}

template <typename T>
void Run(ReduceOp op, const T* x, int64_t n, int64_t stride, Accumulator<T>* into) {
  switch (op) {
    case ReduceOp::kSum:
      return RunOp<ReduceOp::kSum>(x, n, stride, into);
    case ReduceOp::kProd:
      return RunOp<ReduceOp::kProd>(x, n, stride, into);
    case ReduceOp::kMax:
      return RunOp<ReduceOp::kMax>(x, n, stride, into);
    case ReduceOp::kMin:
      return RunOp<ReduceOp::kMin>(x, n, stride, into);
  }
}

template <typename T>
void Rows(ReduceOp op, const T* x, int64_t rows, int64_t row_stride, int64_t columns,
          int64_t col_stride, Accumulator<T>* into) {
  switch (op) {
    case ReduceOp::kSum:
      return RowsOp<ReduceOp::kSum>(x, rows, row_stride, columns, col_stride, into);
    case ReduceOp::kProd:
      return RowsOp<ReduceOp::kProd>(x, rows, row_stride, columns, col_stride, into);
    case ReduceOp::kMax:
      return RowsOp<ReduceOp::kMax>(x, rows, row_stride, columns, col_stride, into);
    case ReduceOp::kMin:
      return RowsOp<ReduceOp::kMin>(x, rows, row_stride, columns, col_stride, into);
  }
}

}  // namespace

#define TANDEM_FILL_REDUCE(T)                         \
  void FillReduceKernels(ReduceKernels<T>* kernels) { \
    kernels->run = &Run<T>;                           \
    kernels->rows = &Rows<T>;                         \
  }
TANDEM_FILL_REDUCE(float)
TANDEM_FILL_REDUCE(double)
TANDEM_FILL_REDUCE(int8_t)
TANDEM_FILL_REDUCE(uint8_t)
TANDEM_FILL_REDUCE(int16_t)
TANDEM_FILL_REDUCE(int32_t)
TANDEM_FILL_REDUCE(int64_t)
#undef TANDEM_FILL_REDUCE

}  // namespace tandem::cpu_backend::TANDEM_ISA
