// The inner loops of softmax, log_softmax and cross_entropy, for each instruction set.
//
// Each computes from x - max(x), so that nothing overflows.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_SOFTMAX_ISA_H_
#define TANDEM_BACKENDS_CPU_KERNELS_SOFTMAX_ISA_H_

#include <cstdint>

namespace tandem::cpu_backend {

// T is float or double; n >= 1.
template <typename T>
struct SoftmaxKernels {
  // y = softmax(x), or its logarithm, of `rows` contiguous rows of n elements.
  void (*rows)(const T* x, T* y, int64_t rows, int64_t n, bool log);
  // The same along n elements that are `stride` apart, for `columns` neighbouring columns.
  void (*columns)(const T* x, T* y, int64_t columns, int64_t n, int64_t stride, bool log);
  // log(sum(exp(x))) - x[label] of a row; NaN for a label that is no class.
  T (*cross_entropy_row)(const T* x, int64_t n, int64_t label);
};

#define TANDEM_DECLARE_SOFTMAX(isa)                 \
  namespace isa {                                   \
  void FillSoftmaxKernels(SoftmaxKernels<float>*);  \
  void FillSoftmaxKernels(SoftmaxKernels<double>*); \
  }
TANDEM_DECLARE_SOFTMAX(isa_baseline)
TANDEM_DECLARE_SOFTMAX(isa_avx2)
TANDEM_DECLARE_SOFTMAX(isa_avx512)
#undef TANDEM_DECLARE_SOFTMAX

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_SOFTMAX_ISA_H_
