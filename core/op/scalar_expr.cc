#include "tandem/core/op/scalar_expr.h"

#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

// Which operands an operation has, and of which types.
enum class OpShape : uint8_t {
  kLeaf,     // none
  kConvert,  // one of any type
  kUnary,    // one of the result's type
  kBinary,   // two of the result's type
  kTernary,  // three of the result's type
  kCompare,  // two of one type; the result is bool
  kSelect,   // bool, and two of the result's type
};

// Types of the result (of the operands, for a comparison), as a set.
constexpr uint8_t kFloats = 1;
constexpr uint8_t kInts = 2;
constexpr uint8_t kBools = 4;
constexpr uint8_t kNumbers = kFloats | kInts;
constexpr uint8_t kAll = kNumbers | kBools;

struct OpInfo {
  absl::string_view name;
  OpShape shape;
  uint8_t types;
};

constexpr OpInfo kOps[] = {
    {"input", OpShape::kLeaf, kAll},          {"constant", OpShape::kLeaf, kAll},
    {"cast", OpShape::kConvert, kAll},        {"round", OpShape::kUnary, kAll},
    {"add", OpShape::kBinary, kNumbers},      {"sub", OpShape::kBinary, kNumbers},
    {"mul", OpShape::kBinary, kNumbers},      {"div", OpShape::kBinary, kNumbers},
    {"rem", OpShape::kBinary, kNumbers},      {"neg", OpShape::kUnary, kNumbers},
    {"abs", OpShape::kUnary, kNumbers},       {"sqrt", OpShape::kUnary, kFloats},
    {"floor", OpShape::kUnary, kFloats},      {"ceil", OpShape::kUnary, kFloats},
    {"trunc", OpShape::kUnary, kFloats},      {"rint", OpShape::kUnary, kFloats},
    {"fma", OpShape::kTernary, kFloats},      {"exp", OpShape::kUnary, kFloats},
    {"expm1", OpShape::kUnary, kFloats},      {"log", OpShape::kUnary, kFloats},
    {"log1p", OpShape::kUnary, kFloats},      {"sin", OpShape::kUnary, kFloats},
    {"cos", OpShape::kUnary, kFloats},        {"tanh", OpShape::kUnary, kFloats},
    {"bitcast", OpShape::kConvert, kNumbers}, {"and", OpShape::kBinary, kInts | kBools},
    {"or", OpShape::kBinary, kInts | kBools}, {"xor", OpShape::kBinary, kInts | kBools},
    {"shl", OpShape::kBinary, kInts},         {"shr", OpShape::kBinary, kInts},
    {"lt", OpShape::kCompare, kNumbers},      {"le", OpShape::kCompare, kNumbers},
    {"eq", OpShape::kCompare, kAll},          {"ne", OpShape::kCompare, kAll},
    {"not", OpShape::kUnary, kBools},         {"select", OpShape::kSelect, kAll},
};
static_assert(std::size(kOps) == static_cast<size_t>(ScalarOp::kSelect) + 1);

const OpInfo& Info(ScalarOp op) { return kOps[static_cast<int>(op)]; }

uint8_t TypeSet(ScalarType type) {
  if (type == ScalarType::kBool) return kBools;
  return IsFloating(type) ? kFloats : kInts;
}

int NumOperands(OpShape shape) {
  switch (shape) {
    case OpShape::kLeaf:
      return 0;
    case OpShape::kConvert:
    case OpShape::kUnary:
      return 1;
    case OpShape::kBinary:
    case OpShape::kCompare:
      return 2;
    case OpShape::kTernary:
    case OpShape::kSelect:
      return 3;
  }
  return 0;
}

bool SameSize(ScalarType a, ScalarType b) {
  const bool a_wide = a == ScalarType::kF64 || a == ScalarType::kI64;
  const bool b_wide = b == ScalarType::kF64 || b == ScalarType::kI64;
  return a_wide == b_wide;
}

// "mul f32 %1, %2"
std::string Describe(const ScalarInstruction& instruction) {
  const OpInfo& info = Info(instruction.op);
  std::string text = absl::StrCat(info.name, " ", ScalarTypeName(instruction.type));
  switch (instruction.op) {
    case ScalarOp::kInput:
      absl::StrAppend(&text, " #", instruction.index, " ", DTypeName(instruction.dtype));
      break;
    case ScalarOp::kConstant:
      if (IsInteger(instruction.type)) {
        absl::StrAppend(&text, " ", instruction.integer);
      } else if (instruction.type == ScalarType::kBool) {
        absl::StrAppend(&text, instruction.constant != 0 ? " true" : " false");
      } else {
        // As many digits as give the same number back.
        absl::StrAppendFormat(&text, " %.*g", instruction.type == ScalarType::kF32 ? 9 : 17,
                              instruction.constant);
      }
      break;
    case ScalarOp::kRound:
      absl::StrAppend(&text, " ", DTypeName(instruction.dtype));
      break;
    default:
      break;
  }
  const int16_t operands[] = {instruction.a, instruction.b, instruction.c};
  for (int i = 0; i < NumOperands(info.shape); ++i) {
    absl::StrAppend(&text, i == 0 ? " %" : ", %", operands[i]);
  }
  return text;
}

// The rule that `instruction` breaks if it is put after `earlier`; "" if it fits.
std::string Violation(const ScalarInstruction& instruction,
                      const std::vector<ScalarInstruction>& earlier) {
  if (static_cast<size_t>(instruction.op) >= std::size(kOps)) return "no such operation";
  const OpInfo& info = Info(instruction.op);
  const int16_t operands[] = {instruction.a, instruction.b, instruction.c};
  const int n = NumOperands(info.shape);
  ScalarType types[3] = {};
  for (int i = 0; i < n; ++i) {
    if (operands[i] < 0 || operands[i] >= static_cast<int>(earlier.size())) {
      return absl::StrCat("operand ", i, " is not an earlier instruction");
    }
    types[i] = earlier[operands[i]].type;
  }
  const auto differ = [](absl::string_view what, ScalarType a, ScalarType b) {
    return absl::StrCat(what, ": ", ScalarTypeName(a), " and ", ScalarTypeName(b));
  };
  ScalarType checked = instruction.type;
  switch (info.shape) {
    case OpShape::kLeaf:
    case OpShape::kConvert:
      break;
    case OpShape::kUnary:
    case OpShape::kBinary:
    case OpShape::kTernary:
      for (int i = 0; i < n; ++i) {
        if (types[i] != instruction.type) {
          return differ("operand and result differ in type", types[i], instruction.type);
        }
      }
      break;
    case OpShape::kCompare:
      if (types[0] != types[1]) return differ("operands differ in type", types[0], types[1]);
      if (instruction.type != ScalarType::kBool) return "a comparison gives bool";
      checked = types[0];
      break;
    case OpShape::kSelect:
      if (types[0] != ScalarType::kBool) return "the condition is not bool";
      for (int i = 1; i < 3; ++i) {
        if (types[i] != instruction.type) {
          return differ("operand and result differ in type", types[i], instruction.type);
        }
      }
      break;
  }
  if ((info.types & TypeSet(checked)) == 0) {
    return absl::StrCat("not defined for ", ScalarTypeName(checked));
  }
  const bool has_dtype = instruction.op == ScalarOp::kInput || instruction.op == ScalarOp::kRound;
  if (has_dtype && ComputeType(instruction.dtype) != instruction.type) {
    return absl::StrCat(DTypeName(instruction.dtype), " is not calculated as ",
                        ScalarTypeName(instruction.type));
  }
  if (instruction.op == ScalarOp::kInput && instruction.index < 0) return "negative input index";
  if (instruction.op == ScalarOp::kBitcast &&
      (types[0] == ScalarType::kBool || !SameSize(types[0], instruction.type))) {
    return differ("a bitcast needs types of one size", types[0], instruction.type);
  }
  return "";
}

// Equality for value numbering: NaN equals itself and 0.0 differs from -0.0.
bool SameInstruction(const ScalarInstruction& x, const ScalarInstruction& y) {
  if (std::bit_cast<uint64_t>(x.constant) != std::bit_cast<uint64_t>(y.constant)) return false;
  ScalarInstruction other = y;
  other.constant = x.constant;
  return x == other || (std::isnan(x.constant) && x.op == y.op && x.type == y.type);
}

int64_t Saturate(double value, ScalarType type) {
  const bool wide = type == ScalarType::kI64;
  const int64_t low =
      wide ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int32_t>::min();
  const int64_t high =
      wide ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int32_t>::max();
  if (std::isnan(value)) return 0;
  // 2^63 is a double, INT64_MAX is not: compare with the power of two.
  const double limit = wide ? 0x1p63 : 0x1p31;
  if (value >= limit) return high;
  if (value < -limit) return low;
  return static_cast<int64_t>(value);
}

absl::Status TooLong() {
  return absl::UnimplementedError(absl::StrCat(
      "a scalar expression has at most ", ScalarExpr::kMaxInstructions, " instructions; split it"));
}

absl::Status TooManyInputs() {
  return absl::UnimplementedError(absl::StrCat("a scalar expression has at most ",
                                               ScalarExpr::kMaxInputs, " inputs; split it"));
}

static_assert(ScalarExpr::kMaxInstructions <= std::numeric_limits<int16_t>::max(),
              "operands are numbers of instructions");

}  // namespace

ScalarType ComputeType(DType dtype) {
  switch (dtype) {
    case DType::kF16:
    case DType::kBF16:
    case DType::kF32:
      return ScalarType::kF32;
    case DType::kF64:
      return ScalarType::kF64;
    case DType::kI8:
    case DType::kU8:
    case DType::kI16:
    case DType::kI32:
      return ScalarType::kI32;
    case DType::kI64:
      return ScalarType::kI64;
    case DType::kBool:
      break;
  }
  return ScalarType::kBool;
}

absl::string_view ScalarTypeName(ScalarType type) {
  constexpr absl::string_view kNames[] = {"f32", "f64", "i32", "i64", "bool"};
  return kNames[static_cast<int>(type)];
}

absl::string_view ScalarOpName(ScalarOp op) { return Info(op).name; }

std::string ScalarExpr::ToString() const {
  std::string text;
  for (size_t i = 0; i < instructions.size(); ++i) {
    absl::StrAppend(&text, "%", i, " = ", Describe(instructions[i]), "\n");
  }
  for (const Output& output : outputs) {
    absl::StrAppend(&text, "output %", output.value, " ", DTypeName(output.dtype), "\n");
  }
  return text;
}

absl::Status ScalarExpr::Verify() const {
  if (instructions.size() > kMaxInstructions) return TooLong();
  if (inputs.size() > kMaxInputs) return TooManyInputs();
  std::vector<ScalarInstruction> earlier;
  earlier.reserve(instructions.size());
  for (size_t i = 0; i < instructions.size(); ++i) {
    const ScalarInstruction& instruction = instructions[i];
    std::string violation = Violation(instruction, earlier);
    if (violation.empty() && instruction.op == ScalarOp::kInput) {
      if (instruction.index >= static_cast<int64_t>(inputs.size())) {
        violation = absl::StrCat("there are ", inputs.size(), " inputs");
      } else if (inputs[instruction.index] != instruction.dtype) {
        violation = absl::StrCat("the input is ", DTypeName(inputs[instruction.index]));
      }
    }
    if (!violation.empty()) {
      const bool known = static_cast<size_t>(instruction.op) < std::size(kOps);
      return absl::InternalError(absl::StrCat(
          "scalar expression: %", i, " = ", known ? Describe(instruction) : "?", ": ", violation));
    }
    earlier.push_back(instruction);
  }
  if (outputs.empty()) return absl::InternalError("scalar expression without an output");
  for (const Output& output : outputs) {
    if (output.value < 0 || output.value >= static_cast<int64_t>(instructions.size())) {
      return absl::InternalError(
          absl::StrCat("scalar expression: output %", output.value, " does not exist"));
    }
    const ScalarType type = instructions[output.value].type;
    if (type != ComputeType(output.dtype)) {
      return absl::InternalError(absl::StrCat("scalar expression: output %", output.value, " is ",
                                              ScalarTypeName(type), ", which does not store as ",
                                              DTypeName(output.dtype)));
    }
  }
  return absl::OkStatus();
}

// --- builder -------------------------------------------------------------------------------------

void ScalarBuilder::Fail(std::string message) {
  if (status_.ok()) status_ = absl::InternalError("scalar expression: " + std::move(message));
}

ScalarValue ScalarBuilder::Append(ScalarInstruction instruction) {
  const ScalarValue nothing{-1, instruction.type};
  if (!status_.ok()) return nothing;
  std::vector<ScalarInstruction>& instructions = expr_.instructions;
  const std::string violation = Violation(instruction, instructions);
  if (!violation.empty()) {
    Fail(absl::StrCat(Describe(instruction), ": ", violation));
    return nothing;
  }
  for (size_t i = 0; i < instructions.size(); ++i) {
    if (SameInstruction(instructions[i], instruction)) {
      return {static_cast<int16_t>(i), instruction.type};
    }
  }
  if (instructions.size() == ScalarExpr::kMaxInstructions) {
    status_ = TooLong();
    return nothing;
  }
  instructions.push_back(instruction);
  return {static_cast<int16_t>(instructions.size() - 1), instruction.type};
}

ScalarValue ScalarBuilder::Input(int index, DType storage) {
  const ScalarType type = ComputeType(storage);
  if (index < 0) Fail(absl::StrCat("input index ", index, " is negative"));
  if (status_.ok() && index >= static_cast<int>(ScalarExpr::kMaxInputs)) status_ = TooManyInputs();
  if (!status_.ok()) return {-1, type};
  // An input that is never read keeps the dtype it is given here.
  if (index >= static_cast<int>(expr_.inputs.size())) expr_.inputs.resize(index + 1, storage);
  expr_.inputs[index] = storage;
  ScalarInstruction instruction;
  instruction.op = ScalarOp::kInput;
  instruction.type = type;
  instruction.dtype = storage;
  instruction.index = index;
  return Append(instruction);
}

ScalarValue ScalarBuilder::Constant(double value, ScalarType type) {
  if (IsInteger(type)) return ConstantInt(Saturate(value, type), type);
  ScalarInstruction instruction;
  instruction.op = ScalarOp::kConstant;
  instruction.type = type;
  switch (type) {
    case ScalarType::kF32:
      instruction.constant = static_cast<float>(value);
      break;
    case ScalarType::kBool:
      instruction.constant = value != 0 ? 1 : 0;
      break;
    default:
      instruction.constant = value;
      break;
  }
  return Append(instruction);
}

ScalarValue ScalarBuilder::ConstantInt(int64_t value, ScalarType type) {
  if (!IsInteger(type)) return Constant(static_cast<double>(value), type);
  ScalarInstruction instruction;
  instruction.op = ScalarOp::kConstant;
  instruction.type = type;
  constexpr int64_t kLow = std::numeric_limits<int32_t>::min();
  constexpr int64_t kHigh = std::numeric_limits<int32_t>::max();
  instruction.integer = type == ScalarType::kI64 ? value
                                                 : (value < kLow    ? kLow
                                                    : value > kHigh ? kHigh
                                                                    : value);
  return Append(instruction);
}

ScalarValue ScalarBuilder::Unary(ScalarOp op, ScalarValue a) {
  ScalarInstruction instruction;
  instruction.op = op;
  instruction.type = a.type;
  instruction.a = a.id;
  return Append(instruction);
}

ScalarValue ScalarBuilder::Binary(ScalarOp op, ScalarValue a, ScalarValue b) {
  ScalarInstruction instruction;
  instruction.op = op;
  instruction.type = Info(op).shape == OpShape::kCompare ? ScalarType::kBool : a.type;
  instruction.a = a.id;
  instruction.b = b.id;
  return Append(instruction);
}

ScalarValue ScalarBuilder::Cast(ScalarValue a, ScalarType type) {
  if (a.type == type) return a;
  ScalarInstruction instruction;
  instruction.op = ScalarOp::kCast;
  instruction.type = type;
  instruction.a = a.id;
  return Append(instruction);
}

ScalarValue ScalarBuilder::RoundTo(ScalarValue a, DType storage) {
  // A type that is stored as it is calculated: nothing to round.
  const bool exact = storage == DType::kF32 || storage == DType::kF64 || storage == DType::kI32 ||
                     storage == DType::kI64 || storage == DType::kBool;
  if (exact && a.type == ComputeType(storage)) return a;
  ScalarInstruction instruction;
  instruction.op = ScalarOp::kRound;
  instruction.type = a.type;
  instruction.dtype = storage;
  instruction.a = a.id;
  return Append(instruction);
}

ScalarValue ScalarBuilder::Bitcast(ScalarValue a, ScalarType type) {
  if (a.type == type) return a;
  ScalarInstruction instruction;
  instruction.op = ScalarOp::kBitcast;
  instruction.type = type;
  instruction.a = a.id;
  return Append(instruction);
}

ScalarValue ScalarBuilder::Select(ScalarValue condition, ScalarValue a, ScalarValue b) {
  ScalarInstruction instruction;
  instruction.op = ScalarOp::kSelect;
  instruction.type = a.type;
  instruction.a = condition.id;
  instruction.b = a.id;
  instruction.c = b.id;
  return Append(instruction);
}

void ScalarBuilder::Output(ScalarValue value, DType dtype) {
  expr_.outputs.push_back({value.id, dtype});
}

absl::StatusOr<ScalarExpr> ScalarBuilder::Finish() {
  TANDEM_RETURN_IF_ERROR(status_);
  TANDEM_RETURN_IF_ERROR(expr_.Verify());
  return std::move(expr_);
}

}  // namespace tandem
