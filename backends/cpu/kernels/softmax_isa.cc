#include "tandem/backends/cpu/kernels/softmax_isa.h"

#include "tandem/backends/cpu/kernels/vector.h"
#include "tandem/backends/cpu/kernels/vector_exp.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

TANDEM_INLINE float Log(float x) { return __builtin_logf(x); }
TANDEM_INLINE double Log(double x) { return __builtin_log(x); }

template <typename T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

// The larger; a NaN stays.
template <typename V>
TANDEM_INLINE V Larger(V a, V b) {
  return ((a > b) | (a != a)) ? a : b;
}

template <typename T>
T MaxOf(const T* x, int64_t n) {
  constexpr int kWidth = kLanes<T>;
  Vec<T> best = Splat(-kInfinity<T>);
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) best = Larger(best, Load(x + i));
  T result = best[0];
  for (int lane = 1; lane < kWidth; ++lane) {
    const T value = best[lane];
    result = result > value || result != result ? result : value;
  }
  for (; i < n; ++i) result = result > x[i] || result != result ? result : x[i];
  return result;
}

// sum(exp(x - max)); the terms go to y unless it is null.
template <typename T>
T ExpSum(const T* x, T* y, int64_t n, T max) {
  constexpr int kWidth = kLanes<T>;
  Vec<T> sum = {};
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const Vec<T> e = Exp<T>(Load(x + i) - max);
    if (y != nullptr) Store(y + i, e);
    sum += e;
  }
  if (i < n) {
    // exp(-inf) adds nothing; a difference of infinities would, so lanes that are not there are
    // zeroed after the subtraction.
    const Vec<T> e = Exp<T>(LoadPartial(x + i, n - i) - max);
    alignas(kVectorBytes) T lanes[kWidth];
    Store(lanes, e);
    if (y != nullptr) {
      for (int64_t j = 0; j < n - i; ++j) y[i + j] = lanes[j];
    }
    sum += LoadPartial(lanes, n - i);
  }
  return Sum<T>(sum);
}

template <typename T>
void Rows(const T* x, T* y, int64_t rows, int64_t n, bool log) {
  for (int64_t row = 0; row < rows; ++row, x += n, y += n) {
    const T max = MaxOf(x, n);
    if (log) {
      const T log_sum = Log(ExpSum<T>(x, nullptr, n, max));
      for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - max) - log_sum;
    } else {
      const T scale = T(1) / ExpSum(x, y, n, max);
      for (int64_t i = 0; i < n; ++i) y[i] *= scale;
    }
  }
}

// At most a vector of columns.
template <typename T>
TANDEM_INLINE void ColumnGroup(const T* x, T* y, int64_t count, int64_t n, int64_t stride,
                               bool log) {
  const bool whole = count == kLanes<T>;
  const auto load = [&](const T* p) { return whole ? Load(p) : LoadPartial(p, count); };
  const auto store = [&](T* p, Vec<T> v) {
    if (whole) {
      Store(p, v);
    } else {
      StorePartial(p, v, count);
    }
  };
  Vec<T> max = Splat(-kInfinity<T>);
  for (int64_t i = 0; i < n; ++i) max = Larger(max, load(x + i * stride));
  Vec<T> sum = {};
  for (int64_t i = 0; i < n; ++i) {
    const Vec<T> e = Exp<T>(load(x + i * stride) - max);
    if (!log) store(y + i * stride, e);
    sum += e;
  }
  if (log) {
    for (int lane = 0; lane < kLanes<T>; ++lane) sum[lane] = Log(sum[lane]);
    for (int64_t i = 0; i < n; ++i) store(y + i * stride, (load(x + i * stride) - max) - sum);
  } else {
    const Vec<T> scale = T(1) / sum;
    for (int64_t i = 0; i < n; ++i) store(y + i * stride, load(y + i * stride) * scale);
  }
}

template <typename T>
void Columns(const T* x, T* y, int64_t columns, int64_t n, int64_t stride, bool log) {
  constexpr int64_t kWidth = kLanes<T>;
  for (int64_t j = 0; j < columns; j += kWidth) {
    ColumnGroup(x + j, y + j, columns - j < kWidth ? columns - j : kWidth, n, stride, log);
  }
}

template <typename T>
T CrossEntropy(const T* x, int64_t n, int64_t label) {
  if (label < 0 || label >= n) return static_cast<T>(__builtin_nan(""));
  const T max = MaxOf(x, n);
  return Log(ExpSum<T>(x, nullptr, n, max)) - (x[label] - max);
}

}  // namespace

#define TANDEM_FILL_SOFTMAX(T)                          \
  void FillSoftmaxKernels(SoftmaxKernels<T>* kernels) { \
    kernels->rows = &Rows<T>;                           \
    kernels->columns = &Columns<T>;                     \
    kernels->cross_entropy_row = &CrossEntropy<T>;      \
  }
TANDEM_FILL_SOFTMAX(float)
TANDEM_FILL_SOFTMAX(double)
#undef TANDEM_FILL_SOFTMAX

}  // namespace tandem::cpu_backend::TANDEM_ISA
