#include "tandem/backends/cpu/large_angle.h"

#include <bit>

namespace tandem::cpu_backend {
namespace {

// The bits of 2/pi behind the point, first bit highest.
constexpr uint64_t kTwoOverPi[] = {0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
                                   0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0, 0x06492EEA09D1921C,
                                   0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41,
                                   0x3991D639835339F4, 0x9C845F8BBDF9283B, 0x1FF897FFDE05980F,
                                   0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
                                   0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08,
                                   0x56033046FC7B6BAB, 0xF0CFBC209AF4361D, 0xA9E391615EE61B08};

using Wide = unsigned __int128;

// 64 bits of 2/pi from bit `first` (counted from 0) on; zeros before the point.
uint64_t Bits(int first) {
  if (first < 0) return first <= -64 ? 0 : kTwoOverPi[0] >> -first;
  const int word = first / 64, shift = first % 64;
  if (shift == 0) return kTwoOverPi[word];
  return (kTwoOverPi[word] << shift) | (kTwoOverPi[word + 1] >> (64 - shift));
}

}  // namespace

ReducedAngle ReduceLargeAngle(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const uint64_t mantissa = (bits & 0x000FFFFFFFFFFFFF) | 0x0010000000000000;
  const int exponent = static_cast<int>((bits >> 52) & 0x7FF) - 1075;  // |x| = mantissa 2^exponent
  // Bits of 2/pi that give multiples of 4 do not matter. The product of the mantissa with the 192
  // bits after them, modulo 2^192, is the angle in quadrants, 2^190 of it being one.
  const int first = exponent - 2;
  const uint64_t w2 = Bits(first), w1 = Bits(first + 64), w0 = Bits(first + 128);
  const Wide low = Wide{w0} * mantissa;
  const Wide middle = Wide{w1} * mantissa + static_cast<uint64_t>(low >> 64);
  const uint64_t p0 = static_cast<uint64_t>(low);
  uint64_t p1 = static_cast<uint64_t>(middle);
  uint64_t p2 = w2 * mantissa + static_cast<uint64_t>(middle >> 64);
  // To the nearest quadrant; the rest is a fraction in [-1/2, 1/2).
  const uint64_t rounded = p2 + (uint64_t{1} << 61);
  int64_t n = static_cast<int64_t>(rounded >> 62);
  int64_t fraction_high = static_cast<int64_t>(p2 << 2 | p1 >> 62);
  uint64_t fraction_low = p1 << 2 | p0 >> 62;
  const bool negative = fraction_high < 0;
  if (negative) {
    const Wide negated = -(Wide{static_cast<uint64_t>(fraction_high)} << 64 | fraction_low);
    fraction_high = static_cast<int64_t>(negated >> 64);
    fraction_low = static_cast<uint64_t>(negated);
  }
  // Normalized, so that close to a multiple of pi/2 no bits are lost: doubles come as near as
  // 2^-62.
  Wide fraction = Wide{static_cast<uint64_t>(fraction_high)} << 64 | fraction_low;
  const int zeros = fraction_high != 0  ? std::countl_zero(static_cast<uint64_t>(fraction_high))
                    : fraction_low != 0 ? 64 + std::countl_zero(fraction_low)
                                        : 127;
  fraction <<= zeros;
  // The fraction as a sum of two doubles, times pi/2 as a sum of two.
  const double unit = std::bit_cast<double>(static_cast<uint64_t>(1023 - 53 - zeros) << 52);
  const double high = static_cast<double>(static_cast<uint64_t>(fraction >> 75)) * unit;
  const uint64_t rest = static_cast<uint64_t>(fraction >> 22) & ((uint64_t{1} << 53) - 1);
  const double low_part = static_cast<double>(rest) * (unit * 0x1p-53);
  constexpr double kHalfPi = 0x1.921fb54442d18p+0, kHalfPiLow = 0x1.1a62633145c07p-54;
  double r = high * kHalfPi;
  double tail = __builtin_fma(high, kHalfPi, -r) + (high * kHalfPiLow + low_part * kHalfPi);
  const double sum = r + tail;
  tail = (r - sum) + tail;
  r = sum;
  if (negative) {
    r = -r;
    tail = -tail;
  }
  if ((bits >> 63) != 0) {
    r = -r;
    tail = -tail;
    n = -n;
  }
  return {n & 3, r, tail};
}

}  // namespace tandem::cpu_backend
