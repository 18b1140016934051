// Size arithmetic that cannot overflow silently.
//
// Every size that comes from a shape, an attribute or a file goes through these before it is used
// for an allocation or a loop bound.
//
//   TANDEM_ASSIGN_OR_RETURN(int64_t bytes, CheckedMul(num_elements, element_size));
#ifndef TANDEM_CORE_BASE_CHECKED_MATH_H_
#define TANDEM_CORE_BASE_CHECKED_MATH_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace tandem {

// a * b; RESOURCE_EXHAUSTED if the product leaves int64_t.
inline absl::StatusOr<int64_t> CheckedMul(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_mul_overflow(a, b, &result)) {
    return absl::ResourceExhaustedError(absl::StrCat("size overflow: ", a, " * ", b));
  }
  return result;
}

// a + b; RESOURCE_EXHAUSTED if the sum leaves int64_t.
inline absl::StatusOr<int64_t> CheckedAdd(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_add_overflow(a, b, &result)) {
    return absl::ResourceExhaustedError(absl::StrCat("size overflow: ", a, " + ", b));
  }
  return result;
}

// The smallest multiple of `alignment` (a power of two) that is >= value (>= 0).
inline absl::StatusOr<int64_t> CheckedAlignUp(int64_t value, int64_t alignment) {
  int64_t sum;
  if (__builtin_add_overflow(value, alignment - 1, &sum)) {
    return absl::ResourceExhaustedError(absl::StrCat("size overflow: aligning ", value));
  }
  return sum & ~(alignment - 1);
}

inline constexpr int64_t DivideRoundUp(int64_t a, int64_t b) { return a / b + (a % b != 0); }

}  // namespace tandem

#endif  // TANDEM_CORE_BASE_CHECKED_MATH_H_
