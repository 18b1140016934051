#include "tandem/core/op/scalar_reference.h"

#include <bit>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/tensor/float16.h"

namespace tandem {
namespace {

int64_t Saturate(double value, int64_t low, int64_t high, double limit) {
  if (std::isnan(value)) return 0;
  if (value >= limit) return high;
  if (value < -limit) return low;
  return static_cast<int64_t>(value);
}

// Arithmetic on integers as on bits, so that overflow wraps.
int64_t IntegerOp(ScalarOp op, int64_t a, int64_t b, ScalarType type) {
  const uint64_t ua = static_cast<uint64_t>(a);
  const uint64_t ub = static_cast<uint64_t>(b);
  // A shift by the width or more is not defined on devices; the builder's users never ask for it.
  const int shift = static_cast<int>(b & (type == ScalarType::kI64 ? 63 : 31));
  switch (op) {
    case ScalarOp::kAdd:
      return static_cast<int64_t>(ua + ub);
    case ScalarOp::kSub:
      return static_cast<int64_t>(ua - ub);
    case ScalarOp::kMul:
      return static_cast<int64_t>(ua * ub);
    case ScalarOp::kDiv:
      return b == 0 ? 0 : b == -1 ? static_cast<int64_t>(-ua) : a / b;
    case ScalarOp::kRem:
      return b == 0 || b == -1 ? 0 : a % b;
    case ScalarOp::kNeg:
      return static_cast<int64_t>(-ua);
    case ScalarOp::kAbs:
      return a < 0 ? static_cast<int64_t>(-ua) : a;
    case ScalarOp::kAnd:
      return a & b;
    case ScalarOp::kOr:
      return a | b;
    case ScalarOp::kXor:
      return a ^ b;
    case ScalarOp::kShl:
      return static_cast<int64_t>(ua << shift);
    case ScalarOp::kShr:
      return a >> shift;
    default:
      return 0;
  }
}

double RealOp(ScalarOp op, double a, double b, double c) {
  switch (op) {
    // For f32, the f64 result of these on f32 operands, rounded to f32, is the f32 result: 53 bits
    // are more than twice 24 and two (S. A. Figueroa, "When is double rounding innocuous?", 1995).
    case ScalarOp::kAdd:
      return a + b;
    case ScalarOp::kSub:
      return a - b;
    case ScalarOp::kMul:
      return a * b;
    case ScalarOp::kDiv:
      return a / b;
    case ScalarOp::kSqrt:
      return std::sqrt(a);
    case ScalarOp::kRem:
      return std::fmod(a, b);
    case ScalarOp::kNeg:
      return -a;
    case ScalarOp::kAbs:
      return std::fabs(a);
    case ScalarOp::kFloor:
      return std::floor(a);
    case ScalarOp::kCeil:
      return std::ceil(a);
    case ScalarOp::kTrunc:
      return std::trunc(a);
    case ScalarOp::kRint:
      return std::nearbyint(a);
    case ScalarOp::kFma:
      return std::fma(a, b, c);
    case ScalarOp::kExp:
      return std::exp(a);
    case ScalarOp::kExpm1:
      return std::expm1(a);
    case ScalarOp::kLog:
      return std::log(a);
    case ScalarOp::kLog1p:
      return std::log1p(a);
    case ScalarOp::kSin:
      return std::sin(a);
    case ScalarOp::kCos:
      return std::cos(a);
    case ScalarOp::kTanh:
      return std::tanh(a);
    default:
      return 0;
  }
}

template <typename T>
bool Compare(ScalarOp op, T a, T b) {
  switch (op) {
    case ScalarOp::kLt:
      return a < b;
    case ScalarOp::kLe:
      return a <= b;
    case ScalarOp::kEq:
      return a == b;
    default:
      return a != b;
  }
}

ScalarNumber Bitcast(const ScalarNumber& value, ScalarType type) {
  uint64_t bits = static_cast<uint64_t>(value.integer);
  if (value.type == ScalarType::kF32) {
    bits = std::bit_cast<uint32_t>(static_cast<float>(value.real));
  } else if (value.type == ScalarType::kF64) {
    bits = std::bit_cast<uint64_t>(value.real);
  }
  switch (type) {
    case ScalarType::kF32:
      return ScalarNumber::Real(type, std::bit_cast<float>(static_cast<uint32_t>(bits)));
    case ScalarType::kF64:
      return ScalarNumber::Real(type, std::bit_cast<double>(bits));
    default:
      return ScalarNumber::Integer(type, static_cast<int64_t>(bits));
  }
}

ScalarNumber Evaluate(const ScalarInstruction& instruction, const std::vector<ScalarNumber>& values,
                      absl::Span<const ScalarNumber> inputs) {
  const ScalarNumber zero;
  const ScalarNumber& a = instruction.a >= 0 ? values[instruction.a] : zero;
  const ScalarNumber& b = instruction.b >= 0 ? values[instruction.b] : zero;
  const ScalarNumber& c = instruction.c >= 0 ? values[instruction.c] : zero;
  const ScalarType type = instruction.type;
  switch (instruction.op) {
    case ScalarOp::kInput:
      return inputs[instruction.index];
    case ScalarOp::kConstant:
      if (IsInteger(type)) return ScalarNumber::Integer(type, instruction.integer);
      if (type == ScalarType::kBool) return ScalarNumber::Integer(type, instruction.constant != 0);
      return ScalarNumber::Real(type, instruction.constant);
    case ScalarOp::kCast:
      return CastScalar(a, type);
    case ScalarOp::kRound:
      return RoundScalar(a, instruction.dtype);
    case ScalarOp::kBitcast:
      return Bitcast(a, type);
    case ScalarOp::kLt:
    case ScalarOp::kLe:
    case ScalarOp::kEq:
    case ScalarOp::kNe:
      return ScalarNumber::Integer(type, IsFloating(a.type)
                                             ? Compare(instruction.op, a.real, b.real)
                                             : Compare(instruction.op, a.integer, b.integer));
    case ScalarOp::kNot:
      return ScalarNumber::Integer(type, a.integer == 0);
    case ScalarOp::kSelect:
      return a.integer != 0 ? b : c;
    case ScalarOp::kFma:
      if (type == ScalarType::kF32) {
        return ScalarNumber::Real(type,
                                  std::fma(static_cast<float>(a.real), static_cast<float>(b.real),
                                           static_cast<float>(c.real)));
      }
      break;
    default:
      break;
  }
  if (IsFloating(type)) {
    return ScalarNumber::Real(type, RealOp(instruction.op, a.real, b.real, c.real));
  }
  return ScalarNumber::Integer(type, IntegerOp(instruction.op, a.integer, b.integer, type));
}

}  // namespace

ScalarNumber ScalarNumber::Real(ScalarType type, double value) {
  ScalarNumber number;
  number.type = type;
  switch (type) {
    case ScalarType::kF32:
      number.real = static_cast<float>(value);
      break;
    case ScalarType::kF64:
      number.real = value;
      break;
    case ScalarType::kI32:
      number.integer = Saturate(value, std::numeric_limits<int32_t>::min(),
                                std::numeric_limits<int32_t>::max(), 0x1p31);
      break;
    case ScalarType::kI64:
      number.integer = Saturate(value, std::numeric_limits<int64_t>::min(),
                                std::numeric_limits<int64_t>::max(), 0x1p63);
      break;
    case ScalarType::kBool:
      number.integer = value != 0;
      break;
  }
  return number;
}

ScalarNumber ScalarNumber::Integer(ScalarType type, int64_t value) {
  ScalarNumber number;
  number.type = type;
  switch (type) {
    // Directly, since i64 to f64 to f32 would round twice.
    case ScalarType::kF32:
      number.real = static_cast<float>(value);
      break;
    case ScalarType::kF64:
      number.real = static_cast<double>(value);
      break;
    case ScalarType::kI32:
      number.integer = static_cast<int32_t>(value);
      break;
    case ScalarType::kI64:
      number.integer = value;
      break;
    case ScalarType::kBool:
      number.integer = value != 0;
      break;
  }
  return number;
}

ScalarNumber CastScalar(const ScalarNumber& value, ScalarType type) {
  return IsFloating(value.type) ? ScalarNumber::Real(type, value.real)
                                : ScalarNumber::Integer(type, value.integer);
}

ScalarNumber RoundScalar(const ScalarNumber& value, DType dtype) {
  ScalarNumber result = value;
  switch (dtype) {
    case DType::kF16:
      result.real = Half(static_cast<float>(value.real));
      break;
    case DType::kBF16:
      result.real = BFloat16(static_cast<float>(value.real));
      break;
    case DType::kI8:
      result.integer = static_cast<int8_t>(value.integer);
      break;
    case DType::kU8:
      result.integer = static_cast<uint8_t>(value.integer);
      break;
    case DType::kI16:
      result.integer = static_cast<int16_t>(value.integer);
      break;
    default:
      break;
  }
  return result;
}

absl::StatusOr<std::vector<ScalarNumber>> EvaluateScalarExpr(
    const ScalarExpr& expr, absl::Span<const ScalarNumber> inputs) {
  TANDEM_RETURN_IF_ERROR(expr.Verify());
  if (inputs.size() != expr.inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("scalar expression of ", expr.inputs.size(),
                                                   " inputs, ", inputs.size(), " given"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type != ComputeType(expr.inputs[i])) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " of the scalar expression is ",
                                                     DTypeName(expr.inputs[i]), ", given as ",
                                                     ScalarTypeName(inputs[i].type)));
    }
  }
  std::vector<ScalarNumber> values;
  values.reserve(expr.instructions.size());
  for (const ScalarInstruction& instruction : expr.instructions) {
    values.push_back(Evaluate(instruction, values, inputs));
  }
  std::vector<ScalarNumber> outputs;
  for (const ScalarExpr::Output& output : expr.outputs) {
    outputs.push_back(RoundScalar(values[output.value], output.dtype));
  }
  return outputs;
}

}  // namespace tandem
