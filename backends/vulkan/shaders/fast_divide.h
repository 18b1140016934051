// Division by a number that is the same for a whole dispatch, as a multiplication and a shift: GPUs
// have no instruction for integer division, and take about twenty others for it.
//
//   constants.columns = FastDivisor(columns);   // three words of the push constants
//   // in the shader: uint row = Divide(element, columns);   (shaders/fast_divide.glsl)
//
// T. Granlund, P. L. Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994,
// figure 4.1: with l = ceil(log2 d) and m = floor(2^32 (2^l - d) / d) + 1, the quotient of any 32-bit
// n is (high(m n) + n) >> l, the sum taken in 33 bits. For n < 2^31 it fits 32.
//
// Thread rules: a value type.
#ifndef TANDEM_BACKENDS_VULKAN_SHADERS_FAST_DIVIDE_H_
#define TANDEM_BACKENDS_VULKAN_SHADERS_FAST_DIVIDE_H_

#include <bit>
#include <cstdint>

namespace tandem::vulkan_backend {

struct FastDivisor {
  FastDivisor() = default;
  // `d` in [1, 2^31); 0 is taken as 1, for dispatches that have nothing to do.
  explicit FastDivisor(int64_t d) : divisor(d > 0 ? static_cast<uint32_t>(d) : 1) {
    shift = static_cast<uint32_t>(std::bit_width(divisor - 1));
    const uint64_t excess = (uint64_t{1} << shift) - divisor;
    multiplier = static_cast<uint32_t>((excess << 32) / divisor + 1);
  }

  // What the shader computes; n < 2^31.
  uint32_t Divide(uint32_t n) const {
    const auto high = static_cast<uint32_t>((uint64_t{n} * multiplier) >> 32);
    return (high + n) >> shift;
  }

  uint32_t divisor = 1;
  uint32_t multiplier = 1;
  uint32_t shift = 0;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_SHADERS_FAST_DIVIDE_H_
