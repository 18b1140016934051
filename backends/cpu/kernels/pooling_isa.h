// The inner loops of pooling, for each instruction set: one plane (one channel of one image).
#ifndef TANDEM_BACKENDS_CPU_KERNELS_POOLING_ISA_H_
#define TANDEM_BACKENDS_CPU_KERNELS_POOLING_ISA_H_

#include <cstdint>

namespace tandem::cpu_backend {

// As WindowAxis (core/op/window.h), which code for several instruction sets must not call.
struct PoolAxis {
  int64_t input, kernel, stride, pad_before, pad_after, output;
};

struct PoolPlane {
  PoolAxis height;
  PoolAxis width;
  bool count_include_pad;
};

// T is float or double. Every window holds at least one element.
template <typename T>
struct PoolKernels {
  // The first NaN of a window, else its maximum.
  void (*max)(const PoolPlane& p, const T* x, T* y);
  // Each gradient goes to the element that `max` took, the first of equals. Writes all of dx.
  void (*max_backward)(const PoolPlane& p, const T* grad, const T* x, T* dx);
  void (*average)(const PoolPlane& p, const T* x, T* y);
  // Writes all of dx.
  void (*average_backward)(const PoolPlane& p, const T* grad, T* dx);
};

#define TANDEM_DECLARE_POOL(isa)              \
  namespace isa {                             \
  void FillPoolKernels(PoolKernels<float>*);  \
  void FillPoolKernels(PoolKernels<double>*); \
  }
TANDEM_DECLARE_POOL(isa_baseline)
TANDEM_DECLARE_POOL(isa_avx2)
TANDEM_DECLARE_POOL(isa_avx512)
#undef TANDEM_DECLARE_POOL

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_POOLING_ISA_H_
