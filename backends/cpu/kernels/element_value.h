// A number as an element of any dtype: what attributes such as pad's `value` become.
//
//   const ElementValue v = ElementValue::Of(DType::kF16, 1.5);
//   v.Fill(out, n);
//
// Converted as the op cast does: integers truncate and saturate to their compute type, NaN gives 0.
// Thread rules: a value type.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_ELEMENT_VALUE_H_
#define TANDEM_BACKENDS_CPU_KERNELS_ELEMENT_VALUE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "tandem/core/tensor/dtype.h"

namespace tandem::cpu_backend {

template <typename Int>
Int SaturatingCast(double value) {
  using Limits = std::numeric_limits<Int>;
  if (std::isnan(value)) return 0;
  if (value >= -static_cast<double>(Limits::min())) return Limits::max();
  if (value <= static_cast<double>(Limits::min())) return Limits::min();
  return static_cast<Int>(value);
}

template <typename T>
T CastElement(double value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return SaturatingCast<int64_t>(value);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(SaturatingCast<int32_t>(value));
  } else {
    return static_cast<T>(value);
  }
}

struct ElementValue {
  std::byte bytes[8] = {};
  int32_t size = 0;  // bytes of an element

  static ElementValue Of(DType dtype, double value) {
    ElementValue result;
    DispatchDType(dtype, [&](auto zero) {
      const auto element = CastElement<decltype(zero)>(value);
      result.size = sizeof(element);
      std::memcpy(result.bytes, &element, sizeof(element));
    });
    return result;
  }

  // Writes `n` elements.
  void Fill(std::byte* out, int64_t n) const {
    switch (size) {
      case 1:
        return FillAs<uint8_t>(out, n);
      case 2:
        return FillAs<uint16_t>(out, n);
      case 4:
        return FillAs<uint32_t>(out, n);
      default:
        return FillAs<uint64_t>(out, n);
    }
  }

 private:
  template <typename T>
  void FillAs(std::byte* out, int64_t n) const {
    T element;
    std::memcpy(&element, bytes, sizeof(T));
    std::fill_n(reinterpret_cast<T*>(out), n, element);
  }
};

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_ELEMENT_VALUE_H_
