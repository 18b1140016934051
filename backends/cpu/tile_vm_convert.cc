// Conversions on tiles: between compute types, and to and from storage dtypes.

#include <limits>
#include <type_traits>

#include "tandem/backends/cpu/tile_vm_isa.h"
#include "tandem/backends/cpu/vector_math.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

// Storage types that convert like nothing in C++: tags.
struct F16 {
  using Bits = uint16_t;
};
struct BF16 {
  using Bits = uint16_t;
};
struct Bool {
  using Bits = uint8_t;
};

// The conversions of core/tensor/float16.h without branches.
TANDEM_INLINE float HalfToFloat(uint16_t h) {
  const uint32_t sign = (uint32_t{h} & 0x8000u) << 16;
  const uint32_t magnitude = uint32_t{h} & 0x7FFFu;
  const uint32_t special = 0x7F800000u | ((magnitude & 0x3FFu) << 13);
  // Signed, for SSE2 and AVX2 convert signed integers only.
  const float small = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
  uint32_t bits = (magnitude << 13) + 0x38000000u;
  bits = magnitude < 0x0400u ? BitsTo<uint32_t>(small) : bits;
  bits = magnitude >= 0x7C00u ? special : bits;
  return BitsTo<float>(sign | bits);
}

TANDEM_INLINE uint16_t FloatToHalf(float value) {
  const uint32_t f = BitsTo<uint32_t>(value);
  const uint32_t sign = (f >> 16) & 0x8000u;
  const uint32_t magnitude = f & 0x7FFFFFFFu;
  const uint32_t small = BitsTo<uint32_t>(BitsTo<float>(magnitude) + 0.5f) - 0x3F000000u;
  uint32_t bits = (magnitude + 0xC8000FFFu + ((magnitude >> 13) & 1u)) >> 13;
  bits = magnitude < 0x38800000u ? small : bits;
  bits = magnitude >= 0x477FF000u ? 0x7C00u : bits;
  bits = magnitude > 0x7F800000u ? 0x7E00u : bits;
  return static_cast<uint16_t>(sign | bits);
}

TANDEM_INLINE uint16_t FloatToBFloat(float value) {
  const uint32_t f = BitsTo<uint32_t>(value);
  const uint32_t rounded = (f + 0x7FFFu + ((f >> 16) & 1u)) >> 16;
  const uint32_t nan = (f >> 16) | 0x0040u;
  return static_cast<uint16_t>((f & 0x7FFFFFFFu) > 0x7F800000u ? nan : rounded);
}

// Truncates and saturates; NaN gives 0.
template <typename To, typename From>
TANDEM_INLINE To Saturate(From x) {
  // 2^31 or 2^63, and the largest number of the type below it.
  constexpr From kLimit = sizeof(To) == 4 ? From(0x1p31) : From(0x1p63);
  constexpr From kBelow = sizeof(From) == 4
                              ? (sizeof(To) == 4 ? From(0x1.fffffep30) : From(0x1.fffffep62))
                              : (sizeof(To) == 4 ? From(2147483647.0) : From(0x1.fffffffffffffp62));
  From clamped = x >= -kLimit ? x : -kLimit;  // NaN becomes -kLimit, too
  clamped = clamped <= kBelow ? clamped : kBelow;
  To result = static_cast<To>(clamped);
  result = x >= kLimit ? std::numeric_limits<To>::max() : result;
  return x == x ? result : To(0);
}

template <typename From, typename To>
TANDEM_INLINE auto Convert(From x) {
  if constexpr (std::is_same_v<To, Bool>) {
    return static_cast<uint8_t>(x != From(0));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return Saturate<To>(x);
  } else {
    return static_cast<To>(x);  // integers wrap
  }
}

template <typename From, typename To>
void ConvertTile(const void* a, const void*, const void*, void* out, int64_t n) {
  const From* x = static_cast<const From*>(a);
  auto* y = static_cast<decltype(Convert<From, To>(From()))*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = Convert<From, To>(x[i]);
}

#define TANDEM_CONVERT_TILE(name, From, To, fn)                              \
  void name(const void* a, const void*, const void*, void* out, int64_t n) { \
    const From* x = static_cast<const From*>(a);                             \
    To* y = static_cast<To*>(out);                                           \
    _Pragma("GCC ivdep") for (int64_t i = 0; i < n; ++i) y[i] = fn(x[i]);    \
  }
TANDEM_INLINE float BFloatToFloat(uint16_t b) { return BitsTo<float>(uint32_t{b} << 16); }
TANDEM_CONVERT_TILE(LoadHalf, uint16_t, float, HalfToFloat)
TANDEM_CONVERT_TILE(StoreHalf, float, uint16_t, FloatToHalf)
TANDEM_CONVERT_TILE(LoadBFloat, uint16_t, float, BFloatToFloat)
TANDEM_CONVERT_TILE(StoreBFloat, float, uint16_t, FloatToBFloat)
#undef TANDEM_CONVERT_TILE

template <typename T>
void CopyTile(const void* a, const void*, const void*, void* out, int64_t n) {
  __builtin_memmove(out, a, n * sizeof(T));
}

template <typename T>
void FillTile(const void* a, const void*, const void*, void* out, int64_t n) {
  const T value = *static_cast<const T*>(a);
  T* y = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) y[i] = value;
}

template <typename From>
TileFn CastFrom(ScalarType to) {
  switch (to) {
    case ScalarType::kF32:
      return ConvertTile<From, float>;
    case ScalarType::kF64:
      return ConvertTile<From, double>;
    case ScalarType::kI32:
      return ConvertTile<From, int32_t>;
    case ScalarType::kI64:
      return ConvertTile<From, int64_t>;
    case ScalarType::kBool:
      return ConvertTile<From, Bool>;
  }
  return nullptr;
}

}  // namespace

TileFn FindCast(ScalarType from, ScalarType to) {
  switch (from) {
    case ScalarType::kF32:
      return CastFrom<float>(to);
    case ScalarType::kF64:
      return CastFrom<double>(to);
    case ScalarType::kI32:
      return CastFrom<int32_t>(to);
    case ScalarType::kI64:
      return CastFrom<int64_t>(to);
    case ScalarType::kBool:
      return CastFrom<uint8_t>(to);
  }
  return nullptr;
}

TileFn FindLoad(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return LoadHalf;
    case DType::kBF16:
      return LoadBFloat;
    case DType::kI8:
      return ConvertTile<int8_t, int32_t>;
    case DType::kU8:
      return ConvertTile<uint8_t, int32_t>;
    case DType::kI16:
      return ConvertTile<int16_t, int32_t>;
    // Foreign memory may hold other bytes than 0 and 1.
    case DType::kBool:
      return ConvertTile<uint8_t, Bool>;
    default:
      return nullptr;
  }
}

TileFn FindStore(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return StoreHalf;
    case DType::kBF16:
      return StoreBFloat;
    case DType::kI8:
      return ConvertTile<int32_t, int8_t>;
    case DType::kU8:
      return ConvertTile<int32_t, uint8_t>;
    case DType::kI16:
      return ConvertTile<int32_t, int16_t>;
    default:
      return nullptr;
  }
}

TileFn FindCopy(int64_t element_size, bool uniform) {
  switch (element_size) {
    case 1:
      return uniform ? FillTile<uint8_t> : CopyTile<uint8_t>;
    case 2:
      return uniform ? FillTile<uint16_t> : CopyTile<uint16_t>;
    case 4:
      return uniform ? FillTile<uint32_t> : CopyTile<uint32_t>;
    case 8:
      return uniform ? FillTile<uint64_t> : CopyTile<uint64_t>;
    default:
      return nullptr;
  }
}

}  // namespace tandem::cpu_backend::TANDEM_ISA
