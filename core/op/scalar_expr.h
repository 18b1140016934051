// The one definition of elementwise maths: a small typed scalar program in SSA form.
//
// An elementwise op says what it does to one element; every device turns that into its own code:
// the CPU evaluates it tile by tile with vector instructions, CUDA and Vulkan print it as source. A
// fused chain of ops is one such program.
//
//   // gelu's inner part, 0.5 * x * (1 + erf(x / sqrt(2))):
//   ScalarValue x = inputs[0];
//   ScalarValue e = b.Erf(b.Mul(x, b.Constant(0.7071067811865476, x.type)));
//   return b.Mul(b.Mul(b.Constant(0.5, x.type), x), b.Add(b.Constant(1, x.type), e));
//
// Types: a *storage* dtype says how an element lies in memory; a *compute* type (f32, f64, i32, i64,
// bool) says how it is calculated. f16 and bf16 are loaded as f32 and rounded at the store; i8, u8
// and i16 are calculated as i32 and wrap at the store. Both conversions stand in the expression's
// signature (InputDType, output dtype), so no device can do them differently. Signed overflow wraps.
// Integer division by zero gives 0 (and x % 0 gives 0): no input can trap. Every instruction is
// rounded on its own: a device must not contract a multiplication and an addition into one.
//
// Programs are bounded (ScalarExpr::kMaxInstructions): they may be made of a body that comes from a
// file, and what compiles them would take long over long ones. A body that is longer runs its steps
// one by one.
//
// Thread rules: an expression is constant once built; a builder belongs to one thread.
#ifndef TANDEM_CORE_OP_SCALAR_EXPR_H_
#define TANDEM_CORE_OP_SCALAR_EXPR_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem {

enum class ScalarType : uint8_t { kF32, kF64, kI32, kI64, kBool };
absl::string_view ScalarTypeName(ScalarType type);  // "f32", …
constexpr bool IsFloating(ScalarType type) { return type <= ScalarType::kF64; }
constexpr bool IsInteger(ScalarType type) {
  return type == ScalarType::kI32 || type == ScalarType::kI64;
}

// f16, bf16 -> kF32; i8, u8, i16 -> kI32; the others to themselves.
ScalarType ComputeType(DType dtype);

enum class ScalarOp : uint8_t {
  kInput,     // element of input `index`
  kConstant,  // `constant`, converted to the type
  kCast,      // a, converted: float to int truncates, saturates, NaN gives 0; to bool: a != 0
  kRound,     // a, rounded to storage dtype `dtype` and back: what a store and a load would do
  // Arithmetic: both operands and the result have one type.
  // kDiv, kRem on integers truncate as in C; kRem on floats is C's fmod, which is exact.
  kAdd,
  kSub,
  kMul,
  kDiv,
  kRem,
  kNeg,
  kAbs,
  kSqrt,
  kFloor,
  kCeil,
  kTrunc,
  kRint,  // kRint: to nearest, ties to even
  kFma,   // a * b + c rounded once, where the device has it; floats only. Not used by strict ops.
  // Transcendental functions; f32 within 4 ulp, f64 within 4 ulp, on every device.
  kExp,
  kExpm1,
  kLog,
  kLog1p,
  kSin,
  kCos,
  kTanh,
  // Bits, for lowerings: kBitcast between f32 and i32, f64 and i64; integers only for the others.
  kBitcast,
  kAnd,
  kOr,
  kXor,
  kShl,
  kShr,  // kAnd, kOr, kXor also on bool; kShr is arithmetic
  // Comparisons give kBool; false if an operand is NaN, but for kNe.
  kLt,
  kLe,
  kEq,
  kNe,
  kNot,     // of bool
  kSelect,  // a (bool) ? b : c
};

// "add", "exp", …
absl::string_view ScalarOpName(ScalarOp op);

struct ScalarInstruction {
  ScalarOp op = ScalarOp::kConstant;
  ScalarType type = ScalarType::kF32;  // of the result
  DType dtype = DType::kF32;           // kRound; kInput: storage dtype
  int16_t a = -1, b = -1, c = -1;      // operands: indices of earlier instructions
  int32_t index = 0;                   // kInput
  double constant = 0;                 // kConstant of float or bool type
  int64_t integer = 0;                 // kConstant of integer type

  friend bool operator==(const ScalarInstruction&, const ScalarInstruction&) = default;
};

// A finished program: inputs by index, one or more outputs.
struct ScalarExpr {
  // A hundred times what a long op takes; whoever compiles a program may number its values in 16
  // bits, and compare each with each.
  static constexpr size_t kMaxInstructions = 4096;
  static constexpr size_t kMaxInputs = 4096;  // far more than any device binds

  struct Output {
    int16_t value = 0;  // index of an instruction
    DType dtype = DType::kF32;
  };
  std::vector<DType> inputs;  // storage dtypes
  std::vector<ScalarInstruction> instructions;
  std::vector<Output> outputs;

  // One line an instruction: "%3 = mul f32 %1, %2".
  std::string ToString() const;
  // Every operand is an earlier instruction of the right type, every input exists, the outputs fit:
  // INTERNAL otherwise. UNIMPLEMENTED if it is too long or has too many inputs.
  absl::Status Verify() const;
};

// A value while building: which instruction, and its type.
struct ScalarValue {
  int16_t id = -1;
  ScalarType type = ScalarType::kF32;
};

// Builds an expression; equal instructions become one. (Constants are equal if their bits are; they
// are converted to their type here: to f32 by rounding, to integers by saturation.) Operands of
// different types are a mistake in an op's definition: Finish() then returns INTERNAL with both. It
// returns UNIMPLEMENTED if more than ScalarExpr::kMaxInstructions instructions were asked for. After
// an error nothing is appended any more.
class ScalarBuilder {
 public:
  ScalarValue Input(int index, DType storage);
  ScalarValue Constant(double value, ScalarType type);
  ScalarValue ConstantInt(int64_t value, ScalarType type);

  ScalarValue Unary(ScalarOp op, ScalarValue a);
  ScalarValue Binary(ScalarOp op, ScalarValue a, ScalarValue b);
  ScalarValue Cast(ScalarValue a, ScalarType type);
  ScalarValue RoundTo(ScalarValue a, DType storage);
  ScalarValue Bitcast(ScalarValue a, ScalarType type);
  ScalarValue Select(ScalarValue condition, ScalarValue a, ScalarValue b);

  ScalarValue Add(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kAdd, a, b); }
  ScalarValue Sub(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kSub, a, b); }
  ScalarValue Mul(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kMul, a, b); }
  ScalarValue Div(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kDiv, a, b); }
  ScalarValue Lt(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kLt, a, b); }
  ScalarValue Le(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kLe, a, b); }
  ScalarValue Eq(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kEq, a, b); }
  ScalarValue Ne(ScalarValue a, ScalarValue b) { return Binary(ScalarOp::kNe, a, b); }

  // Lowered here, once, so that every device agrees:
  ScalarValue Min(ScalarValue a, ScalarValue b);  // NaN if either is NaN
  ScalarValue Max(ScalarValue a, ScalarValue b);  // NaN if either is NaN
  ScalarValue IsNan(ScalarValue a);
  ScalarValue Sign(ScalarValue a);                     // -1, 0, 1; NaN stays NaN
  ScalarValue Erf(ScalarValue a);                      // floats; within 4 ulp
  ScalarValue Pow(ScalarValue a, ScalarValue b);       // C99 special cases; integers by squaring
  ScalarValue Sigmoid(ScalarValue a);                  // 1 / (1 + exp(-a)), without overflow
  ScalarValue Softplus(ScalarValue a);                 // log(1 + exp(a)), without overflow
  ScalarValue FloorMod(ScalarValue a, ScalarValue b);  // Python's %: the sign of b
  ScalarValue FloorDiv(ScalarValue a, ScalarValue b);  // Python's //

  void Output(ScalarValue value, DType dtype);
  // The first error so far: whoever appends much may stop early.
  const absl::Status& status() const { return status_; }
  absl::StatusOr<ScalarExpr> Finish();

 private:
  ScalarValue Append(ScalarInstruction instruction);
  void Fail(std::string message);

  ScalarExpr expr_;
  absl::Status status_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_SCALAR_EXPR_H_
