#include "tandem/backends/vulkan/elementwise/glsl_expression.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace tandem::vulkan_backend {
namespace {

const char* TypeName(ScalarType type) {
  switch (type) {
    case ScalarType::kF32:
      return "float";
    case ScalarType::kF64:
      return "double";
    case ScalarType::kI32:
      return "int";
    case ScalarType::kI64:
      return "int64_t";
    case ScalarType::kBool:
      break;
  }
  return "bool";
}

std::string Literal(const ScalarInstruction& c) {
  switch (c.type) {
    case ScalarType::kF32: {
      const float value = static_cast<float>(c.constant);
      if (std::isnormal(value)) {
        // As many digits as give the same number back.
        std::string text = absl::StrFormat("%.9g", value);
        if (text.find_first_of(".e") == std::string::npos) text += ".0";
        return value < 0 ? absl::StrCat("(", text, ")") : text;
      }
      const uint32_t bits = std::bit_cast<uint32_t>(value);
      return bits == 0 ? "0.0" : absl::StrFormat("uintBitsToFloat(0x%08Xu)", bits);
    }
    case ScalarType::kF64: {
      if (std::isnormal(c.constant)) {
        std::string text = absl::StrFormat("%.17g", c.constant);
        if (text.find_first_of(".e") == std::string::npos) text += ".0";
        text += "lf";
        return c.constant < 0 ? absl::StrCat("(", text, ")") : text;
      }
      const uint64_t bits = std::bit_cast<uint64_t>(c.constant);
      if (bits == 0) return "0.0lf";
      return absl::StrFormat("packDouble2x32(uvec2(0x%08Xu, 0x%08Xu))", static_cast<uint32_t>(bits),
                             static_cast<uint32_t>(bits >> 32));
    }
    case ScalarType::kI32:
      if (c.integer == std::numeric_limits<int32_t>::min()) return "int(0x80000000u)";
      return c.integer < 0 ? absl::StrCat("(", c.integer, ")") : absl::StrCat(c.integer);
    case ScalarType::kI64:
      if (c.integer == std::numeric_limits<int64_t>::min()) return "int64_t(0x8000000000000000ul)";
      return c.integer < 0 ? absl::StrCat("(", c.integer, "l)") : absl::StrCat(c.integer, "l");
    case ScalarType::kBool:
      break;
  }
  return c.constant != 0 ? "true" : "false";
}

std::string ZeroOf(ScalarType type) {
  ScalarInstruction zero;
  zero.type = type;
  return Literal(zero);
}

std::string Cast(const std::string& a, ScalarType from, ScalarType to) {
  if (from == to) return a;
  if (to == ScalarType::kBool) return absl::StrCat(a, " != ", ZeroOf(from));
  if (IsFloating(from) && to == ScalarType::kI32) return absl::StrCat("ToI32(", a, ")");
  if (IsFloating(from) && to == ScalarType::kI64) return absl::StrCat("ToI64(", a, ")");
  return absl::StrCat(TypeName(to), "(", a, ")");
}

std::string Bitcast(const std::string& a, ScalarType from, ScalarType to) {
  if (from == to) return a;
  switch (to) {
    case ScalarType::kF32:
      return absl::StrCat("intBitsToFloat(", a, ")");
    case ScalarType::kI32:
      return absl::StrCat("floatBitsToInt(", a, ")");
    case ScalarType::kF64:
      return absl::StrCat("packDouble2x32(", Encode(DType::kI64, a), ")");
    case ScalarType::kI64:
      return Decode(DType::kI64, absl::StrCat("unpackDouble2x32(", a, ")"));
    case ScalarType::kBool:
      break;
  }
  return a;
}

std::string Round(const std::string& a, DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return absl::StrCat("HalfToFloat(FloatToHalf(", a, "))");
    case DType::kBF16:
      return absl::StrCat("BFloatToFloat(FloatToBFloat(", a, "))");
    case DType::kI8:
      return absl::StrCat("bitfieldExtract(", a, ", 0, 8)");
    case DType::kU8:
      return absl::StrCat(a, " & 255");
    case DType::kI16:
      return absl::StrCat("bitfieldExtract(", a, ", 0, 16)");
    default:
      return a;
  }
}

const char* FunctionName(ScalarOp op) {
  switch (op) {
    case ScalarOp::kSqrt:
      return "sqrt";
    case ScalarOp::kFloor:
      return "floor";
    case ScalarOp::kCeil:
      return "ceil";
    case ScalarOp::kTrunc:
      return "trunc";
    case ScalarOp::kRint:
      return "roundEven";
    case ScalarOp::kExp:
      return "Exp";
    case ScalarOp::kExpm1:
      return "Expm1";
    case ScalarOp::kLog:
      return "Log";
    case ScalarOp::kLog1p:
      return "Log1p";
    case ScalarOp::kSin:
      return "Sin";
    case ScalarOp::kCos:
      return "Cos";
    case ScalarOp::kTanh:
      return "Tanh";
    default:
      return nullptr;
  }
}

const char* InfixOperator(ScalarOp op, ScalarType type) {
  const bool is_bool = type == ScalarType::kBool;
  switch (op) {
    case ScalarOp::kAdd:
      return "+";
    case ScalarOp::kSub:
      return "-";
    case ScalarOp::kMul:
      return "*";
    case ScalarOp::kDiv:
      return "/";
    case ScalarOp::kAnd:
      return is_bool ? "&&" : "&";
    case ScalarOp::kOr:
      return is_bool ? "||" : "|";
    case ScalarOp::kXor:
      return is_bool ? "^^" : "^";
    case ScalarOp::kLt:
      return "<";
    case ScalarOp::kLe:
      return "<=";
    case ScalarOp::kEq:
      return "==";
    case ScalarOp::kNe:
      return "!=";
    default:
      return nullptr;
  }
}

// The right-hand side of an instruction that is not an input.
std::string Expression(const ScalarInstruction& i, const ScalarExpr& expr) {
  const auto name = [](int16_t id) { return absl::StrCat("v", id); };
  const std::string a = name(i.a), b = name(i.b), c = name(i.c);
  const ScalarType from = i.a >= 0 ? expr.instructions[i.a].type : i.type;
  switch (i.op) {
    case ScalarOp::kConstant:
      return Literal(i);
    case ScalarOp::kCast:
      return Cast(a, from, i.type);
    case ScalarOp::kRound:
      return Round(a, i.dtype);
    case ScalarOp::kBitcast:
      return Bitcast(a, from, i.type);
    case ScalarOp::kDiv:
      if (IsInteger(i.type)) return absl::StrCat("Div(", a, ", ", b, ")");
      break;
    case ScalarOp::kRem:
      return absl::StrCat("Rem(", a, ", ", b, ")");
    case ScalarOp::kNeg:
      return absl::StrCat("-", a);
    case ScalarOp::kAbs:
      if (IsFloating(i.type)) return absl::StrCat("abs(", a, ")");
      return absl::StrCat(a, " < 0 ? -", a, " : ", a);
    case ScalarOp::kFma:
      return absl::StrCat("fma(", a, ", ", b, ", ", c, ")");
    case ScalarOp::kShl:
    case ScalarOp::kShr:
      return absl::StrCat(a, i.op == ScalarOp::kShl ? " << (int(" : " >> (int(", b, ") & ",
                          i.type == ScalarType::kI64 ? 63 : 31, ")");
    case ScalarOp::kNot:
      return absl::StrCat("!", a);
    case ScalarOp::kSelect:
      return absl::StrCat(a, " ? ", b, " : ", c);
    case ScalarOp::kEq:
    case ScalarOp::kNe:
      if (i.a == i.b && IsFloating(from)) {
        return absl::StrCat(i.op == ScalarOp::kEq ? "!" : "", "IsNan(", a, ")");
      }
      break;
    default:
      break;
  }
  if (const char* function = FunctionName(i.op)) return absl::StrCat(function, "(", a, ")");
  if (const char* infix = InfixOperator(i.op, from)) return absl::StrCat(a, " ", infix, " ", b);
  return a;
}

void AddNeedsOf(const ScalarInstruction& i, const ScalarExpr& expr, GlslNeeds* needs) {
  const ScalarType from = i.a >= 0 ? expr.instructions[i.a].type : i.type;
  needs->f32 |= i.type == ScalarType::kF32;
  needs->f64 |= i.type == ScalarType::kF64;
  needs->i64 |= i.type == ScalarType::kI64;
  const bool narrow = i.type == ScalarType::kF32;
  switch (i.op) {
    case ScalarOp::kInput:
    case ScalarOp::kRound:
      needs->conversions |= i.dtype == DType::kF16 || i.dtype == DType::kBF16;
      break;
    case ScalarOp::kCast:
      needs->conversions |= IsFloating(from) && IsInteger(i.type);
      break;
    case ScalarOp::kDiv:
      needs->arithmetic |= IsInteger(i.type);
      break;
    case ScalarOp::kRem:
      needs->arithmetic = true;
      break;
    case ScalarOp::kEq:
    case ScalarOp::kNe:
      needs->classify |= i.a == i.b && IsFloating(from);
      break;
    case ScalarOp::kExp:
    case ScalarOp::kExpm1:
    case ScalarOp::kLog:
    case ScalarOp::kLog1p:
    case ScalarOp::kTanh:
      (narrow ? needs->math_f32 : needs->math_f64) = true;
      break;
    case ScalarOp::kSin:
    case ScalarOp::kCos:
      (narrow ? needs->trigonometry_f32 : needs->trigonometry_f64) = true;
      break;
    default:
      break;
  }
}

}  // namespace

bool IsMove(const ScalarExpr& expr, const ScalarExpr::Output& output) {
  const ScalarInstruction& value = expr.instructions[output.value];
  return value.op == ScalarOp::kInput && value.dtype == output.dtype;
}

std::vector<bool> ComputedInstructions(const ScalarExpr& expr) {
  std::vector<bool> computed(expr.instructions.size());
  for (const ScalarExpr::Output& output : expr.outputs) {
    if (!IsMove(expr, output)) computed[output.value] = true;
  }
  for (size_t i = expr.instructions.size(); i-- > 0;) {
    if (!computed[i]) continue;
    const ScalarInstruction& instruction = expr.instructions[i];
    for (int16_t operand : {instruction.a, instruction.b, instruction.c}) {
      if (operand >= 0) computed[operand] = true;
    }
  }
  return computed;
}

GlslNeeds NeedsOf(const ScalarExpr& expr) {
  GlslNeeds needs;
  const std::vector<bool> computed = ComputedInstructions(expr);
  for (size_t i = 0; i < computed.size(); ++i) {
    if (computed[i]) AddNeedsOf(expr.instructions[i], expr, &needs);
  }
  for (const ScalarExpr::Output& output : expr.outputs) {
    if (IsMove(expr, output)) continue;
    needs.conversions |= output.dtype == DType::kF16 || output.dtype == DType::kBF16;
    needs.classify |= output.dtype == DType::kF32 || output.dtype == DType::kF64;
  }
  return needs;
}

std::string Decode(DType dtype, absl::string_view bits) {
  switch (dtype) {
    case DType::kF16:
      return absl::StrCat("HalfToFloat(", bits, ")");
    case DType::kBF16:
      return absl::StrCat("BFloatToFloat(", bits, ")");
    case DType::kF32:
      return absl::StrCat("uintBitsToFloat(", bits, ")");
    case DType::kF64:
      return absl::StrCat("packDouble2x32(", bits, ")");
    case DType::kI8:
      return absl::StrCat("bitfieldExtract(int(", bits, "), 0, 8)");
    case DType::kU8:
    case DType::kI32:
      return absl::StrCat("int(", bits, ")");
    case DType::kI16:
      return absl::StrCat("bitfieldExtract(int(", bits, "), 0, 16)");
    case DType::kI64:
      return absl::StrCat("int64_t(packUint2x32(", bits, "))");
    case DType::kBool:
      break;
  }
  return absl::StrCat(bits, " != 0u");
}

std::string Encode(DType dtype, absl::string_view value) {
  switch (dtype) {
    case DType::kF16:
      return absl::StrCat("FloatToHalf(", value, ")");
    case DType::kBF16:
      return absl::StrCat("FloatToBFloat(", value, ")");
    case DType::kF32:
    case DType::kF64:
      return absl::StrCat("CanonicalBits(", value, ")");
    case DType::kI8:
    case DType::kU8:
      return absl::StrCat("uint(", value, ") & 0xFFu");
    case DType::kI16:
      return absl::StrCat("uint(", value, ") & 0xFFFFu");
    case DType::kI32:
      return absl::StrCat("uint(", value, ")");
    case DType::kI64:
      return absl::StrCat("unpackUint2x32(uint64_t(", value, "))");
    case DType::kBool:
      break;
  }
  return absl::StrCat(value, " ? 1u : 0u");
}

void PrintInstructions(const ScalarExpr& expr, absl::FunctionRef<std::string(int)> input,
                       absl::string_view indent, std::string* text) {
  const std::vector<bool> computed = ComputedInstructions(expr);
  for (size_t i = 0; i < computed.size(); ++i) {
    if (!computed[i]) continue;
    const ScalarInstruction& instruction = expr.instructions[i];
    const std::string value = instruction.op == ScalarOp::kInput
                                  ? Decode(instruction.dtype, input(instruction.index))
                                  : Expression(instruction, expr);
    absl::StrAppend(text, indent, IsFloating(instruction.type) ? "precise " : "const ",
                    TypeName(instruction.type), " v", i, " = ", value, ";\n");
  }
}

}  // namespace tandem::vulkan_backend
