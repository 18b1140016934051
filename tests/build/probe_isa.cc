#include "tandem/tests/build/probe_isa.h"

#include <Eigen/Core>

namespace tandem::probe::TANDEM_ISA {

void TanhAxpy(float a, const float* x, float* y, int n) {
  Eigen::Map<const Eigen::ArrayXf> in(x, n);
  Eigen::Map<Eigen::ArrayXf>(y, n) = in.tanh() + a * in;
}

int VectorBytes() { return EIGEN_MAX_ALIGN_BYTES; }

}  // namespace tandem::probe::TANDEM_ISA
