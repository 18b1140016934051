// The inner loops of batch_norm and layer_norm, for each instruction set.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_NORMALIZATION_ISA_H_
#define TANDEM_BACKENDS_CPU_KERNELS_NORMALIZATION_ISA_H_

#include <cstdint>

namespace tandem::cpu_backend {

// Columns that `column_moments` takes at once.
inline constexpr int64_t kMomentColumns = 64;

// T is float or double.
template <typename T>
struct NormalizationKernels {
  // sum(x[i]) and sum((x[i] - center)^2), i < n.
  double (*sum)(const T* x, int64_t n);
  double (*squares)(const T* x, int64_t n, double center);
  // The mean, and the mean of the squared distances from it, of each of `columns` <= kMomentColumns
  // columns; rows are `stride` apart.
  void (*column_moments)(const T* x, int64_t rows, int64_t stride, int64_t columns, double* mean,
                         double* variance);
  // y[i] = (x[i] - mean) * rstd * gamma + beta, where mean and rstd are mean[i], rstd[i] or, with
  // `stats_vary` false, mean[0], rstd[0]; and gamma and beta likewise.
  void (*apply)(int64_t n, const T* x, const T* mean, const T* rstd, bool stats_vary,
                const T* gamma, const T* beta, bool params_vary, T* y);
};

#define TANDEM_DECLARE_NORMALIZATION(isa)                       \
  namespace isa {                                               \
  void FillNormalizationKernels(NormalizationKernels<float>*);  \
  void FillNormalizationKernels(NormalizationKernels<double>*); \
  }
TANDEM_DECLARE_NORMALIZATION(isa_baseline)
TANDEM_DECLARE_NORMALIZATION(isa_avx2)
TANDEM_DECLARE_NORMALIZATION(isa_avx512)
#undef TANDEM_DECLARE_NORMALIZATION

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_NORMALIZATION_ISA_H_
