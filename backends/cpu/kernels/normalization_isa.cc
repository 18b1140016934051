#include "tandem/backends/cpu/kernels/normalization_isa.h"

#include "tandem/backends/cpu/kernels/vector.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

// Terms that are added in the element type before the sum moves to f64.
constexpr int64_t kBlock = 2048;

// The sum of term(x) over all elements; in the last vector, lanes behind the end do not count.
template <typename T, typename Term>
TANDEM_INLINE double BlockSum(const T* x, int64_t n, Term term) {
  constexpr int kWidth = kLanes<T>;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = n - begin < kBlock ? n : begin + kBlock;
    Vec<T> sums[2] = {};
    int64_t i = begin;
    for (; i + 2 * kWidth <= end; i += 2 * kWidth) {
      sums[0] += term(Load(x + i));
      sums[1] += term(Load(x + i + kWidth));
    }
    if (i + kWidth <= end) {
      sums[0] += term(Load(x + i));
      i += kWidth;
    }
    if (i < end) {
      alignas(kVectorBytes) T lanes[kWidth];
      Store(lanes, term(LoadPartial(x + i, end - i)));
      sums[1] += LoadPartial(lanes, end - i);
    }
    total += Sum<T>(sums[0] + sums[1]);
  }
  return total;
}

template <typename T>
double SumOf(const T* x, int64_t n) {
  return BlockSum(x, n, [](Vec<T> v) { return v; });
}

template <typename T>
double SquaresOf(const T* x, int64_t n, double center) {
  const Vec<T> c = Splat(static_cast<T>(center));
  // What rounding takes from the center is corrected: sum((x-c)^2) = sum((x-c')^2) - n (c-c')^2
  // up to a term that vanishes because c is the mean.
  const double error = center - static_cast<double>(static_cast<T>(center));
  const double squares = BlockSum(x, n, [c](Vec<T> v) { return (v - c) * (v - c); });
  const double corrected = squares - static_cast<double>(n) * error * error;
  return corrected < 0 ? 0 : corrected;
}

template <typename T>
void ColumnMoments(const T* x, int64_t rows, int64_t stride, int64_t columns,
                   double* __restrict mean, double* __restrict variance) {
  for (int64_t j = 0; j < columns; ++j) mean[j] = variance[j] = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * stride;
    for (int64_t j = 0; j < columns; ++j) mean[j] += row[j];
  }
  const double scale = 1.0 / static_cast<double>(rows);
  for (int64_t j = 0; j < columns; ++j) mean[j] *= scale;
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * stride;
    for (int64_t j = 0; j < columns; ++j) {
      const double d = row[j] - mean[j];
      variance[j] += d * d;
    }
  }
  for (int64_t j = 0; j < columns; ++j) variance[j] *= scale;
}

template <bool kStatsVary, bool kParamsVary, typename T>
TANDEM_INLINE void ApplyLoop(int64_t n, const T* x, const T* mean, const T* rstd, const T* gamma,
                             const T* beta, T* __restrict y) {
  const T mean0 = mean[0], rstd0 = rstd[0], gamma0 = gamma[0], beta0 = beta[0];
  for (int64_t i = 0; i < n; ++i) {
    const T h = (x[i] - (kStatsVary ? mean[i] : mean0)) * (kStatsVary ? rstd[i] : rstd0);
    y[i] = h * (kParamsVary ? gamma[i] : gamma0) + (kParamsVary ? beta[i] : beta0);
  }
}

template <typename T>
void Apply(int64_t n, const T* x, const T* mean, const T* rstd, bool stats_vary, const T* gamma,
           const T* beta, bool params_vary, T* y) {
  if (n == 0) return;
  if (stats_vary) {
    if (params_vary) {
      ApplyLoop<true, true>(n, x, mean, rstd, gamma, beta, y);
    } else {
      ApplyLoop<true, false>(n, x, mean, rstd, gamma, beta, y);
    }
  } else if (params_vary) {
    ApplyLoop<false, true>(n, x, mean, rstd, gamma, beta, y);
  } else {
    ApplyLoop<false, false>(n, x, mean, rstd, gamma, beta, y);
  }
}

template <typename T>
TANDEM_INLINE void Fill(NormalizationKernels<T>* kernels) {
  kernels->sum = &SumOf<T>;
  kernels->squares = &SquaresOf<T>;
  kernels->column_moments = &ColumnMoments<T>;
  kernels->apply = &Apply<T>;
}

}  // namespace

void FillNormalizationKernels(NormalizationKernels<float>* kernels) { Fill(kernels); }
void FillNormalizationKernels(NormalizationKernels<double>* kernels) { Fill(kernels); }

}  // namespace tandem::cpu_backend::TANDEM_ISA
