// Evaluates a scalar expression for one element, plainly: the reference that tests compare devices
// and lowerings with, and what constant folding uses.
//
//   TANDEM_ASSIGN_OR_RETURN(std::vector<ScalarNumber> y,
//                           EvaluateScalarExpr(expr, {ScalarNumber::Real(ScalarType::kF32, 2.0)}));
//
// Every instruction is rounded to its compute type; functions come from <cmath>, for f32 evaluated
// in f64 and rounded.
//
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OP_SCALAR_REFERENCE_H_
#define TANDEM_CORE_OP_SCALAR_REFERENCE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/op/scalar_expr.h"

namespace tandem {

// A value of a compute type: `real` for f32 and f64 (an f32 is held exactly), `integer` for i32,
// i64 and bool (0 or 1).
struct ScalarNumber {
  ScalarType type = ScalarType::kF32;
  double real = 0;
  int64_t integer = 0;

  // Converted to `type` as a store would: f32 rounds, integers saturate.
  static ScalarNumber Real(ScalarType type, double value);
  // Converted to `type`: i32 wraps, bool is value != 0.
  static ScalarNumber Integer(ScalarType type, int64_t value);

  // The value as a double, whatever the type.
  double AsDouble() const { return IsFloating(type) ? real : static_cast<double>(integer); }
};

// kCast, by the rules of ScalarOp.
ScalarNumber CastScalar(const ScalarNumber& value, ScalarType type);
// What a store as `dtype` and a load make of `value`, which is of ComputeType(dtype).
ScalarNumber RoundScalar(const ScalarNumber& value, DType dtype);

// The outputs, after the store. INVALID_ARGUMENT if the inputs do not fit the expression; the error
// of Verify() if that fails.
absl::StatusOr<std::vector<ScalarNumber>> EvaluateScalarExpr(const ScalarExpr& expr,
                                                             absl::Span<const ScalarNumber> inputs);

}  // namespace tandem

#endif  // TANDEM_CORE_OP_SCALAR_REFERENCE_H_
