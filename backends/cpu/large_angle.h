// The reduction of large angles by pi/2, after M. Payne and R. Hanek, "Radian reduction for
// trigonometric functions" (1983): the product with 2/pi is formed with as many bits as it takes.
//
//   ReducedAngle a = ReduceLargeAngle(1e300);  // 1e300 = n · pi/2 + r + tail, |r| <= pi/4
//
// Thread rules: a pure function.
#ifndef TANDEM_BACKENDS_CPU_LARGE_ANGLE_H_
#define TANDEM_BACKENDS_CPU_LARGE_ANGLE_H_

#include <cstdint>

namespace tandem::cpu_backend {

struct ReducedAngle {
  int64_t n;  // modulo 4
  double r;
  double tail;  // below half an ulp of r
};

// For a finite x with |x| >= 4. r + tail is within 2^-64 of the exact remainder, relatively.
ReducedAngle ReduceLargeAngle(double x);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_LARGE_ANGLE_H_
