// Element types, and what happens when two of them meet.
//
// Promotion (PromoteTypes) is a lattice, as NumPy users expect it, except that integers meet
// floating point without widening to f64:
//   * bool < integers < floating point; a result takes the higher category.
//   * integers: the smallest signed or unsigned type that holds both; u8 with i8 gives i16.
//   * floating point: the wider; f16 with bf16 gives f32.
//   * an integer or bool with a floating-point type gives that floating-point type.
//
//   PromoteTypes(DType::kI32, DType::kF16);  // kF16
//   PromoteTypes(DType::kF16, DType::kBF16);  // kF32
#ifndef TANDEM_CORE_TENSOR_DTYPE_H_
#define TANDEM_CORE_TENSOR_DTYPE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tandem/core/tensor/float16.h"

namespace tandem {

enum class DType : uint8_t { kF16, kBF16, kF32, kF64, kI8, kU8, kI16, kI32, kI64, kBool };
inline constexpr int kNumDTypes = 10;

// "f16", "bf16", "f32", "f64", "i8", "u8", "i16", "i32", "i64", "bool".
absl::string_view DTypeName(DType dtype);
// The inverse of DTypeName; INVALID_ARGUMENT lists the names.
absl::StatusOr<DType> ParseDType(absl::string_view name);

constexpr int64_t DTypeSize(DType dtype) {  // bytes
  constexpr int8_t kSizes[kNumDTypes] = {2, 2, 4, 8, 1, 1, 2, 4, 8, 1};
  return kSizes[static_cast<int>(dtype)];
}
constexpr bool IsFloating(DType dtype) { return dtype <= DType::kF64; }
constexpr bool IsInteger(DType dtype) { return dtype >= DType::kI8 && dtype <= DType::kI64; }

DType PromoteTypes(DType a, DType b);

// DTypeOf<float>::value == DType::kF32, for the C++ types that store elements.
template <typename T>
struct DTypeOf;
#define TANDEM_DTYPE_OF(cpp, dtype)               \
  template <>                                     \
  struct DTypeOf<cpp> {                           \
    static constexpr DType value = DType::dtype;  \
  }
TANDEM_DTYPE_OF(Half, kF16);
TANDEM_DTYPE_OF(BFloat16, kBF16);
TANDEM_DTYPE_OF(float, kF32);
TANDEM_DTYPE_OF(double, kF64);
TANDEM_DTYPE_OF(int8_t, kI8);
TANDEM_DTYPE_OF(uint8_t, kU8);
TANDEM_DTYPE_OF(int16_t, kI16);
TANDEM_DTYPE_OF(int32_t, kI32);
TANDEM_DTYPE_OF(int64_t, kI64);
TANDEM_DTYPE_OF(bool, kBool);
#undef TANDEM_DTYPE_OF

// Calls fn with a default-constructed value of the C++ type that stores `dtype`:
//   DispatchDType(dtype, [&](auto zero) { using T = decltype(zero); ... });
template <typename Fn>
decltype(auto) DispatchDType(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::kF16: return fn(Half());
    case DType::kBF16: return fn(BFloat16());
    case DType::kF32: return fn(float());
    case DType::kF64: return fn(double());
    case DType::kI8: return fn(int8_t());
    case DType::kU8: return fn(uint8_t());
    case DType::kI16: return fn(int16_t());
    case DType::kI32: return fn(int32_t());
    case DType::kI64: return fn(int64_t());
    case DType::kBool: break;
  }
  return fn(bool());
}

}  // namespace tandem

#endif  // TANDEM_CORE_TENSOR_DTYPE_H_
