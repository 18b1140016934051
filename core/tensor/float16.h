// IEEE 754 binary16 and bfloat16 as storage types: 16 bits that convert to and from float.
//
// Arithmetic happens in float; a store rounds to nearest, ties to even. NaN stays NaN.
//
//   Half h(1.5f);
//   float f = h;  // 1.5f
#ifndef TANDEM_CORE_TENSOR_FLOAT16_H_
#define TANDEM_CORE_TENSOR_FLOAT16_H_

#include <bit>
#include <cstdint>

namespace tandem {

struct Half {
  uint16_t bits = 0;

  Half() = default;
  explicit Half(float value) : bits(FromFloat(value)) {}
  operator float() const { return ToFloat(bits); }  // NOLINT(google-explicit-constructor)

  static constexpr uint16_t FromFloat(float value) {
    const uint32_t f = std::bit_cast<uint32_t>(value);
    const uint32_t sign = (f >> 16) & 0x8000u;
    const uint32_t magnitude = f & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);   // NaN
    if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // >= 65520: inf
    if (magnitude < 0x38800000u) {
      // Subnormal or zero. Adding 0.5 puts the 10 result bits at the end of the fraction, and the
      // addition itself rounds to nearest even.
      const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
      return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
    }
    const uint32_t odd = (magnitude >> 13) & 1;
    return static_cast<uint16_t>(sign | ((magnitude + 0xC8000FFFu + odd) >> 13));
  }

  static constexpr float ToFloat(uint16_t h) {
    const uint32_t sign = uint32_t{h & 0x8000u} << 16;
    const uint32_t magnitude = h & 0x7FFFu;
    if (magnitude >= 0x7C00u) {  // inf, NaN
      return std::bit_cast<float>(sign | 0x7F800000u | ((magnitude & 0x3FFu) << 13));
    }
    if (magnitude < 0x0400u) {  // zero, subnormal: exact in float
      const float value = static_cast<float>(magnitude) * 0x1p-24f;
      return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
    }
    return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
  }
};

struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value) : bits(FromFloat(value)) {}
  operator float() const { return ToFloat(bits); }  // NOLINT(google-explicit-constructor)

  static constexpr uint16_t FromFloat(float value) {
    const uint32_t f = std::bit_cast<uint32_t>(value);
    if ((f & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((f >> 16) | 0x0040u);  // NaN
    return static_cast<uint16_t>((f + 0x7FFFu + ((f >> 16) & 1)) >> 16);
  }
  static constexpr float ToFloat(uint16_t b) { return std::bit_cast<float>(uint32_t{b} << 16); }
};

static_assert(sizeof(Half) == 2 && sizeof(BFloat16) == 2);

}  // namespace tandem

#endif  // TANDEM_CORE_TENSOR_FLOAT16_H_
