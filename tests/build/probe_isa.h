#ifndef TANDEM_TESTS_BUILD_PROBE_ISA_H_
#define TANDEM_TESTS_BUILD_PROBE_ISA_H_

// A kernel compiled for each instruction set, to test bazel/isa.bzl.

namespace tandem::probe {

#define TANDEM_PROBE_DECLARE(isa)                                \
  namespace isa {                                                \
  /* y = tanh(x) + a * x; the arrays have n elements. */         \
  void TanhAxpy(float a, const float* x, float* y, int n);       \
  /* The bytes of the widest vector Eigen uses at this level. */ \
  int VectorBytes();                                             \
  }
TANDEM_PROBE_DECLARE(isa_baseline)
TANDEM_PROBE_DECLARE(isa_avx2)
TANDEM_PROBE_DECLARE(isa_avx512)
#undef TANDEM_PROBE_DECLARE

}  // namespace tandem::probe

#endif  // TANDEM_TESTS_BUILD_PROBE_ISA_H_
