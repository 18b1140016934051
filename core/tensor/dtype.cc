#include "tandem/core/tensor/dtype.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tandem {
namespace {

constexpr absl::string_view kNames[kNumDTypes] = {"f16", "bf16", "f32", "f64", "i8",
                                                  "u8",  "i16",  "i32", "i64", "bool"};

}  // namespace

absl::string_view DTypeName(DType dtype) { return kNames[static_cast<int>(dtype)]; }

absl::StatusOr<DType> ParseDType(absl::string_view name) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (kNames[i] == name) return static_cast<DType>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("'", name.substr(0, 32), "' is not a dtype; known: ",
                                                 absl::StrJoin(kNames, ", ")));
}

DType PromoteTypes(DType a, DType b) {
  if (a == b) return a;
  if (a == DType::kBool) return b;
  if (b == DType::kBool) return a;
  if (IsFloating(a) && IsFloating(b)) {
    if (DTypeSize(a) == 2 && DTypeSize(b) == 2) return DType::kF32;
    return DTypeSize(a) > DTypeSize(b) ? a : b;
  }
  if (IsFloating(a)) return a;
  if (IsFloating(b)) return b;
  // Two different integer types. u8 is the only unsigned one, so only u8 with i8 needs a third.
  if (DTypeSize(a) == 1 && DTypeSize(b) == 1) return DType::kI16;
  return DTypeSize(a) > DTypeSize(b) ? a : b;
}

}  // namespace tandem
