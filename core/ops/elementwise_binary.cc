#include "tandem/core/ops/elementwise_binary.h"

#include <string>
#include <utility>

#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/elementwise.h"

namespace tandem {
namespace {

using BinaryScalar = ScalarValue (*)(ScalarBuilder& b, ScalarValue x, ScalarValue y);

constexpr uint64_t kNoValues = 0;
constexpr uint64_t kFirst = 1;
constexpr uint64_t kSecond = 2;

OpDef Binary(std::string name, std::string doc, ResultDType result, BinaryScalar scalar) {
  return ElementwiseOp(std::move(name), std::move(doc),
                       {{"a", "any shape and dtype"}, {"b", "broadcasts with a"}}, result,
                       [scalar](ScalarBuilder& b, absl::Span<const ScalarValue> inputs,
                                const AttributeMap&) { return scalar(b, inputs[0], inputs[1]); });
}

// With the values that the gradient reads.
OpDef Differentiable(OpDef def, uint64_t inputs, uint64_t outputs, ElementwiseGradient gradient) {
  def.vjp = ElementwiseVjp(std::move(gradient));
  def.vjp_inputs = inputs;
  def.vjp_outputs = outputs;
  return def;
}

OpDef NotDifferentiable(OpDef def) {
  def.traits.differentiable = false;
  def.vjp_inputs = kNoValues;
  def.vjp_outputs = kNoValues;
  return def;
}

OpDef Commutative(OpDef def) {
  def.traits.commutative = true;
  return def;
}

// --- arithmetic ----------------------------------------------------------------------------------

OpDef Add() {
  OpDef def = Binary("add", "a + b; for two bools a or b.", ResultDType::kPromoted,
                     [](ScalarBuilder& b, ScalarValue x, ScalarValue y) {
                       const bool is_bool = x.type == ScalarType::kBool;
                       return b.Binary(is_bool ? ScalarOp::kOr : ScalarOp::kAdd, x, y);
                     });
  return Differentiable(Commutative(std::move(def)), kNoValues, kNoValues,
                        [](VjpContext& c, int) { return c.grad(); });
}

OpDef Sub() {
  OpDef def = Binary("sub", "a - b.", ResultDType::kNumber,
                     [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.Sub(x, y); });
  return Differentiable(std::move(def), kNoValues, kNoValues, [](VjpContext& c, int i) {
    return i == 0 ? c.grad() : c.emit("neg", {c.grad()});
  });
}

OpDef Mul() {
  OpDef def = Binary("mul", "a * b; for two bools a and b.", ResultDType::kPromoted,
                     [](ScalarBuilder& b, ScalarValue x, ScalarValue y) {
                       const bool is_bool = x.type == ScalarType::kBool;
                       return b.Binary(is_bool ? ScalarOp::kAnd : ScalarOp::kMul, x, y);
                     });
  return Differentiable(Commutative(std::move(def)), kFirst | kSecond, kNoValues,
                        [](VjpContext& c, int i) {
                          return c.emit("mul", {c.grad(), c.input(1 - i)});
                        });
}

OpDef Div() {
  OpDef def = Binary("div", "a / b; integers and bools give f32.", ResultDType::kFloat,
                     [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.Div(x, y); });
  return Differentiable(std::move(def), kSecond, kFirst, [](VjpContext& c, int i) {
    const Tensor over_b = c.emit("div", {c.grad(), c.input(1)});
    return i == 0 ? over_b : c.emit("neg", {c.emit("mul", {over_b, c.output(0)})});
  });
}

OpDef FloorDiv() {
  return NotDifferentiable(Binary(
      "floor_div",
      "The greatest integer not above a / b, as Python's a // b. Integers divided by zero give 0.",
      ResultDType::kNumber,
      [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.FloorDiv(x, y); }));
}

OpDef Mod() {
  OpDef def = Binary(
      "mod",
      "a - b * floor(a / b), as Python's a % b: it has the sign of b. An integer modulo zero is 0.",
      ResultDType::kNumber,
      [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.FloorMod(x, y); });
  return Differentiable(std::move(def), kFirst | kSecond, kNoValues, [](VjpContext& c, int i) {
    if (i == 0) return c.grad();
    const Tensor quotient = c.emit("floor_div", {c.input(0), c.input(1)});
    return c.emit("neg", {c.emit("mul", {c.grad(), quotient})});
  });
}

// d/da = b a^(b-1), and 0 where b is 0, also for a = 0.
Tensor PowBaseGradient(VjpContext& c) {
  const Tensor& a = c.input(0);
  const Tensor& b = c.input(1);
  Emitter& e = c.emit;
  // An integer exponent must be able to become -1; bool and u8 cannot.
  const bool is_signed = IsFloating(b.dtype()) || (IsInteger(b.dtype()) && b.dtype() != DType::kU8);
  const Tensor exponent = is_signed ? b : e.Cast(b, DType::kI32);
  if (!exponent.defined()) return exponent;
  const Tensor power = e("pow", {a, e("sub", {exponent, e.Full(1, exponent)})});
  const Tensor slope = e("mul", {e("mul", {c.grad(), exponent}), power});
  const Tensor is_constant = e("equal", {exponent, e.Full(0, exponent)});
  return e("where", {is_constant, e.Full(0, c.grad()), slope});
}

// d/db = a^b log(a), and 0 where a = 0 and b >= 0, where the logarithm is infinite.
Tensor PowExponentGradient(VjpContext& c) {
  const Tensor& a = c.input(0);
  const Tensor& b = c.input(1);
  Emitter& e = c.emit;
  // The logarithm of an integer would be f32, whatever the result is.
  const Tensor log_a = e("log", {e.Cast(a, c.output(0).dtype())});
  const Tensor slope = e("mul", {c.grad(), e("mul", {c.output(0), log_a})});
  const Tensor a_is_zero = e("equal", {a, e.Full(0, a)});
  const Tensor flat = e("logical_and", {a_is_zero, e("greater_equal", {b, e.Full(0, b)})});
  return e("where", {flat, e.Full(0, c.grad()), slope});
}

OpDef Pow() {
  OpDef def = Binary(
      "pow",
      "a to the power b, with the special cases of C99. Integers wrap; a negative exponent of an "
      "integer gives 0, unless a is 1 or -1.",
      ResultDType::kNumber,
      [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.Pow(x, y); });
  return Differentiable(std::move(def), kFirst | kSecond, kFirst, [](VjpContext& c, int i) {
    return i == 0 ? PowBaseGradient(c) : PowExponentGradient(c);
  });
}

// The gradient goes to the input that was taken, half to each where they are equal.
ElementwiseGradient ExtremumGradient(absl::string_view other_taken) {
  return [name = std::string(other_taken)](VjpContext& c, int i) {
    Emitter& e = c.emit;
    const Tensor& self = c.input(i);
    const Tensor& other = c.input(1 - i);
    const Tensor half = e("mul", {c.grad(), e.Full(0.5, c.grad())});
    const Tensor shared = e("where", {e("equal", {self, other}), half, c.grad()});
    return e("where", {e(name, {self, other}), e.Full(0, c.grad()), shared});
  };
}

OpDef Minimum() {
  OpDef def = Binary("minimum", "The smaller of a and b; NaN if either is.", ResultDType::kPromoted,
                     [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.Min(x, y); });
  return Differentiable(std::move(def), kFirst | kSecond, kNoValues, ExtremumGradient("greater"));
}

OpDef Maximum() {
  OpDef def = Binary("maximum", "The larger of a and b; NaN if either is.", ResultDType::kPromoted,
                     [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.Max(x, y); });
  return Differentiable(std::move(def), kFirst | kSecond, kNoValues, ExtremumGradient("less"));
}

// --- comparisons and logic -----------------------------------------------------------------------

ScalarValue Less(ScalarBuilder& b, ScalarValue x, ScalarValue y) {
  if (x.type != ScalarType::kBool) return b.Lt(x, y);
  return b.Binary(ScalarOp::kAnd, b.Unary(ScalarOp::kNot, x), y);
}

ScalarValue LessEqual(ScalarBuilder& b, ScalarValue x, ScalarValue y) {
  if (x.type != ScalarType::kBool) return b.Le(x, y);
  return b.Binary(ScalarOp::kOr, b.Unary(ScalarOp::kNot, x), y);
}

OpDef Comparison(std::string name, std::string doc, BinaryScalar scalar) {
  return NotDifferentiable(Binary(std::move(name), std::move(doc), ResultDType::kBool, scalar));
}

OpDef Logical(std::string name, std::string doc, BinaryScalar scalar) {
  OpDef def = Commutative(Comparison(std::move(name), std::move(doc), scalar));
  def.traits.bool_inputs = 3;
  return def;
}

OpDef Where() {
  OpDef def =
      ElementwiseOp("where", "a where the condition is true (not 0), b elsewhere.",
                    {{"condition", "any dtype; 0 is false"},
                     {"a", "broadcasts with the condition"},
                     {"b", "broadcasts with both; a and b are promoted to one dtype"}},
                    ResultDType::kPromoted,
                    [](ScalarBuilder& b, absl::Span<const ScalarValue> inputs,
                       const AttributeMap&) { return b.Select(inputs[0], inputs[1], inputs[2]); });
  def.traits.bool_inputs = 1;
  return Differentiable(std::move(def), kFirst, kNoValues, [](VjpContext& c, int i) {
    if (i == 0) return Tensor();
    const Tensor zero = c.emit.Full(0, c.grad());
    return i == 1 ? c.emit("where", {c.input(0), c.grad(), zero})
                  : c.emit("where", {c.input(0), zero, c.grad()});
  });
}

}  // namespace

absl::Status RegisterElementwiseBinaryOps(OpRegistry* registry) {
  for (auto define : {Add, Sub, Mul, Div, FloorDiv, Mod, Pow, Minimum, Maximum, Where}) {
    TANDEM_RETURN_IF_ERROR(registry->Register(define()));
  }
  TANDEM_RETURN_IF_ERROR(registry->Register(Commutative(
      Comparison("equal", "a == b; false if either is NaN.",
                 [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.Eq(x, y); }))));
  TANDEM_RETURN_IF_ERROR(registry->Register(Commutative(
      Comparison("not_equal", "a != b; true if either is NaN.",
                 [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return b.Ne(x, y); }))));
  TANDEM_RETURN_IF_ERROR(
      registry->Register(Comparison("less", "a < b; false if either is NaN.", Less)));
  TANDEM_RETURN_IF_ERROR(
      registry->Register(Comparison("less_equal", "a <= b; false if either is NaN.", LessEqual)));
  TANDEM_RETURN_IF_ERROR(registry->Register(
      Comparison("greater", "a > b; false if either is NaN.",
                 [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return Less(b, y, x); })));
  TANDEM_RETURN_IF_ERROR(registry->Register(Comparison(
      "greater_equal", "a >= b; false if either is NaN.",
      [](ScalarBuilder& b, ScalarValue x, ScalarValue y) { return LessEqual(b, y, x); })));
  TANDEM_RETURN_IF_ERROR(
      registry->Register(Logical("logical_and", "True where both are true (not 0).",
                                 [](ScalarBuilder& b, ScalarValue x, ScalarValue y) {
                                   return b.Binary(ScalarOp::kAnd, x, y);
                                 })));
  TANDEM_RETURN_IF_ERROR(
      registry->Register(Logical("logical_or", "True where either is true (not 0).",
                                 [](ScalarBuilder& b, ScalarValue x, ScalarValue y) {
                                   return b.Binary(ScalarOp::kOr, x, y);
                                 })));
  return registry->Register(Logical("logical_xor", "True where exactly one is true (not 0).",
                                    [](ScalarBuilder& b, ScalarValue x, ScalarValue y) {
                                      return b.Binary(ScalarOp::kXor, x, y);
                                    }));
}

}  // namespace tandem
