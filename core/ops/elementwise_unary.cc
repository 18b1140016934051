#include "tandem/core/ops/elementwise_unary.h"

#include <cmath>
#include <string>
#include <utility>

#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/elementwise.h"

namespace tandem {
namespace {

using UnaryScalar = ScalarValue (*)(ScalarBuilder& b, ScalarValue x);
using AttributeScalar = ScalarValue (*)(ScalarBuilder& b, ScalarValue x, const AttributeMap& attrs);
using UnaryGradient = Tensor (*)(VjpContext& c);

// Which value the gradient reads.
enum class Reads { kNothing, kInput, kOutput };

OpDef Unary(std::string name, std::string doc, ResultDType result, AttributeScalar scalar) {
  return ElementwiseOp(std::move(name), std::move(doc), {{"x", "any shape"}}, result,
                       [scalar](ScalarBuilder& b, absl::Span<const ScalarValue> inputs,
                                const AttributeMap& attrs) { return scalar(b, inputs[0], attrs); });
}

OpDef Unary(std::string name, std::string doc, ResultDType result, UnaryScalar scalar) {
  return ElementwiseOp(std::move(name), std::move(doc), {{"x", "any shape"}}, result,
                       [scalar](ScalarBuilder& b, absl::Span<const ScalarValue> inputs,
                                const AttributeMap&) { return scalar(b, inputs[0]); });
}

OpDef Differentiable(OpDef def, Reads reads, UnaryGradient gradient) {
  def.vjp = ElementwiseVjp([gradient](VjpContext& c, int) { return gradient(c); });
  def.vjp_inputs = reads == Reads::kInput ? 1 : 0;
  def.vjp_outputs = reads == Reads::kOutput ? 1 : 0;
  return def;
}

OpDef NotDifferentiable(OpDef def) {
  def.traits.differentiable = false;
  def.vjp_inputs = 0;
  def.vjp_outputs = 0;
  return def;
}

// --- shorthands ----------------------------------------------------------------------------------

template <ScalarOp op>
ScalarValue Instruction(ScalarBuilder& b, ScalarValue x) {
  return b.Unary(op, x);
}

// Rounding leaves integers as they are.
template <ScalarOp op>
ScalarValue Rounding(ScalarBuilder& b, ScalarValue x) {
  return IsFloating(x.type) ? b.Unary(op, x) : x;
}

Tensor Times(VjpContext& c, const Tensor& x, const Tensor& y) { return c.emit("mul", {x, y}); }
Tensor Times(VjpContext& c, double x, const Tensor& y) {
  return y.defined() ? c.emit("mul", {c.emit.Full(x, y), y}) : Tensor();
}
Tensor Plus(VjpContext& c, double x, const Tensor& y) {
  return y.defined() ? c.emit("add", {c.emit.Full(x, y), y}) : Tensor();
}
Tensor OneMinus(VjpContext& c, const Tensor& y) {
  return y.defined() ? c.emit("sub", {c.emit.Full(1, y), y}) : Tensor();
}
Tensor Apply(VjpContext& c, absl::string_view op, const Tensor& x) { return c.emit(op, {x}); }
// The gradient where the condition holds, 0 elsewhere.
Tensor GradientWhere(VjpContext& c, const Tensor& condition) {
  return c.emit("where", {condition, c.grad(), c.emit.Full(0, c.grad())});
}

// --- arithmetic and rounding ---------------------------------------------------------------------

absl::Status RegisterArithmetic(OpRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(registry->Register(
      Differentiable(Unary("neg", "-x.", ResultDType::kNumber, Instruction<ScalarOp::kNeg>),
                     Reads::kNothing, [](VjpContext& c) { return Apply(c, "neg", c.grad()); })));
  TANDEM_RETURN_IF_ERROR(registry->Register(Differentiable(
      Unary("abs", "The absolute value; its gradient at 0 is 0.", ResultDType::kNumber,
            Instruction<ScalarOp::kAbs>),
      Reads::kInput,
      [](VjpContext& c) { return Times(c, c.grad(), Apply(c, "sign", c.input(0))); })));
  TANDEM_RETURN_IF_ERROR(registry->Register(NotDifferentiable(
      Unary("sign", "-1, 0 or 1 by the sign of x; NaN stays NaN.", ResultDType::kNumber,
            [](ScalarBuilder& b, ScalarValue x) { return b.Sign(x); }))));
  TANDEM_RETURN_IF_ERROR(registry->Register(
      NotDifferentiable(Unary("floor", "The greatest integer not above x.", ResultDType::kNumber,
                              Rounding<ScalarOp::kFloor>))));
  TANDEM_RETURN_IF_ERROR(registry->Register(NotDifferentiable(Unary(
      "ceil", "The least integer not below x.", ResultDType::kNumber, Rounding<ScalarOp::kCeil>))));
  TANDEM_RETURN_IF_ERROR(registry->Register(
      NotDifferentiable(Unary("round", "The nearest integer, ties to even.", ResultDType::kNumber,
                              Rounding<ScalarOp::kRint>))));
  TANDEM_RETURN_IF_ERROR(registry->Register(NotDifferentiable(Unary(
      "trunc", "x without its fraction.", ResultDType::kNumber, Rounding<ScalarOp::kTrunc>))));
  return registry->Register(Differentiable(
      Unary("square", "x * x.", ResultDType::kNumber,
            [](ScalarBuilder& b, ScalarValue x) { return b.Mul(x, x); }),
      Reads::kInput, [](VjpContext& c) { return Times(c, c.grad(), Times(c, 2, c.input(0))); }));
}

// --- functions -----------------------------------------------------------------------------------

absl::Status RegisterFunctions(OpRegistry* registry) {
  const auto define = [&](std::string name, std::string doc, UnaryScalar scalar, Reads reads,
                          UnaryGradient gradient) {
    doc += " Integers and bools give f32.";
    return registry->Register(Differentiable(
        Unary(std::move(name), std::move(doc), ResultDType::kFloat, scalar), reads, gradient));
  };
  TANDEM_RETURN_IF_ERROR(define("exp", "e to the power x.", Instruction<ScalarOp::kExp>,
                                Reads::kOutput,
                                [](VjpContext& c) { return Times(c, c.grad(), c.output(0)); }));
  TANDEM_RETURN_IF_ERROR(
      define("expm1", "exp(x) - 1, accurate near 0.", Instruction<ScalarOp::kExpm1>, Reads::kOutput,
             [](VjpContext& c) { return Times(c, c.grad(), Plus(c, 1, c.output(0))); }));
  TANDEM_RETURN_IF_ERROR(define("log", "The natural logarithm: -inf at 0, NaN below.",
                                Instruction<ScalarOp::kLog>, Reads::kInput, [](VjpContext& c) {
                                  return c.emit("div", {c.grad(), c.input(0)});
                                }));
  TANDEM_RETURN_IF_ERROR(define("log1p", "log(1 + x), accurate near 0.",
                                Instruction<ScalarOp::kLog1p>, Reads::kInput, [](VjpContext& c) {
                                  return c.emit("div", {c.grad(), Plus(c, 1, c.input(0))});
                                }));
  TANDEM_RETURN_IF_ERROR(define("sqrt", "The square root; NaN below 0.",
                                Instruction<ScalarOp::kSqrt>, Reads::kOutput, [](VjpContext& c) {
                                  return c.emit("div", {c.grad(), Times(c, 2, c.output(0))});
                                }));
  TANDEM_RETURN_IF_ERROR(define(
      "rsqrt", "1 / sqrt(x).",
      [](ScalarBuilder& b, ScalarValue x) {
        return b.Div(b.Constant(1, x.type), b.Unary(ScalarOp::kSqrt, x));
      },
      Reads::kOutput,
      [](VjpContext& c) {
        const Tensor& y = c.output(0);
        return Times(c, Times(c, -0.5, c.grad()), Times(c, y, Apply(c, "square", y)));
      }));
  TANDEM_RETURN_IF_ERROR(define(
      "reciprocal", "1 / x.",
      [](ScalarBuilder& b, ScalarValue x) { return b.Div(b.Constant(1, x.type), x); },
      Reads::kOutput,
      [](VjpContext& c) {
        return Apply(c, "neg", Times(c, c.grad(), Apply(c, "square", c.output(0))));
      }));
  TANDEM_RETURN_IF_ERROR(
      define("sin", "The sine of x radians.", Instruction<ScalarOp::kSin>, Reads::kInput,
             [](VjpContext& c) { return Times(c, c.grad(), Apply(c, "cos", c.input(0))); }));
  TANDEM_RETURN_IF_ERROR(define("cos", "The cosine of x radians.", Instruction<ScalarOp::kCos>,
                                Reads::kInput, [](VjpContext& c) {
                                  return Apply(c, "neg",
                                               Times(c, c.grad(), Apply(c, "sin", c.input(0))));
                                }));
  TANDEM_RETURN_IF_ERROR(define("tanh", "The hyperbolic tangent.", Instruction<ScalarOp::kTanh>,
                                Reads::kOutput, [](VjpContext& c) {
                                  return Times(c, c.grad(),
                                               OneMinus(c, Apply(c, "square", c.output(0))));
                                }));
  TANDEM_RETURN_IF_ERROR(define(
      "erf", "The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
      [](ScalarBuilder& b, ScalarValue x) { return b.Erf(x); }, Reads::kInput,
      [](VjpContext& c) {
        const Tensor bell = Apply(c, "exp", Apply(c, "neg", Apply(c, "square", c.input(0))));
        return Times(c, c.grad(), Times(c, 2 / std::sqrt(M_PI), bell));
      }));
  TANDEM_RETURN_IF_ERROR(define(
      "sigmoid", "1 / (1 + exp(-x)).", [](ScalarBuilder& b, ScalarValue x) { return b.Sigmoid(x); },
      Reads::kOutput,
      [](VjpContext& c) {
        const Tensor& y = c.output(0);
        return Times(c, c.grad(), Times(c, y, OneMinus(c, y)));
      }));
  return define(
      "softplus", "log(1 + exp(x)), a smooth relu.",
      [](ScalarBuilder& b, ScalarValue x) { return b.Softplus(x); }, Reads::kInput,
      [](VjpContext& c) { return Times(c, c.grad(), Apply(c, "sigmoid", c.input(0))); });
}

// --- activations ---------------------------------------------------------------------------------

OpDef Relu() {
  OpDef def =
      Unary("relu", "max(x, 0); its gradient at 0 is 0.", ResultDType::kNumber,
            [](ScalarBuilder& b, ScalarValue x) { return b.Max(x, b.Constant(0, x.type)); });
  return Differentiable(std::move(def), Reads::kOutput, [](VjpContext& c) {
    const Tensor& y = c.output(0);
    return GradientWhere(c, c.emit("greater", {y, c.emit.Full(0, y)}));
  });
}

OpDef LeakyRelu() {
  OpDef def = Unary("leaky_relu", "x where x > 0, alpha * x elsewhere.", ResultDType::kFloat,
                    [](ScalarBuilder& b, ScalarValue x, const AttributeMap& attrs) {
                      const ScalarValue alpha = b.Constant(attrs.Double("alpha"), x.type);
                      return b.Select(b.Lt(b.Constant(0, x.type), x), x, b.Mul(alpha, x));
                    });
  def.attributes = {AttributeDef::Optional("alpha", 0.01, "slope for negative x")};
  return Differentiable(std::move(def), Reads::kInput, [](VjpContext& c) {
    const Tensor& x = c.input(0);
    const Tensor positive = c.emit("greater", {x, c.emit.Full(0, x)});
    const Tensor scaled = Times(c, c.attrs().Double("alpha"), c.grad());
    return c.emit("where", {positive, c.grad(), scaled});
  });
}

// gelu by tanh: u = sqrt(2 / pi) (x + 0.044715 x^3).
constexpr double kGeluCubic = 0.044715;
const double kGeluScale = std::sqrt(2 / M_PI);

ScalarValue GeluScalar(ScalarBuilder& b, ScalarValue x, const AttributeMap& attrs) {
  const auto constant = [&](double value) { return b.Constant(value, x.type); };
  ScalarValue bounded;
  if (attrs.String("approximate") == "tanh") {
    const ScalarValue cubic = b.Mul(constant(kGeluCubic), b.Mul(x, b.Mul(x, x)));
    bounded = b.Unary(ScalarOp::kTanh, b.Mul(constant(kGeluScale), b.Add(x, cubic)));
  } else {
    bounded = b.Erf(b.Mul(x, constant(M_SQRT1_2)));
  }
  return b.Mul(b.Mul(constant(0.5), x), b.Add(constant(1), bounded));
}

Tensor GeluGradient(VjpContext& c) {
  const Tensor& x = c.input(0);
  const Tensor square = Apply(c, "square", x);
  Tensor bounded, slope;  // y = x (1 + bounded) / 2, slope = d bounded / dx
  if (c.attrs().String("approximate") == "tanh") {
    const Tensor inner = Times(c, x, Plus(c, 1, Times(c, kGeluCubic, square)));
    bounded = Apply(c, "tanh", Times(c, kGeluScale, inner));
    const Tensor inner_slope = Times(c, kGeluScale, Plus(c, 1, Times(c, 3 * kGeluCubic, square)));
    slope = Times(c, inner_slope, OneMinus(c, Apply(c, "square", bounded)));
  } else {
    bounded = Apply(c, "erf", Times(c, M_SQRT1_2, x));
    slope = Times(c, std::sqrt(2 / M_PI), Apply(c, "exp", Times(c, -0.5, square)));
  }
  const Tensor twice = c.emit("add", {Plus(c, 1, bounded), Times(c, x, slope)});
  return Times(c, c.grad(), Times(c, 0.5, twice));
}

OpDef Gelu() {
  OpDef def = Unary("gelu",
                    "x times the normal distribution function, x (1 + erf(x / sqrt(2))) / 2; "
                    "Hendrycks and Gimpel, \"Gaussian error linear units\", 2016.",
                    ResultDType::kFloat, GeluScalar);
  def.attributes = {
      AttributeDef::Choice("approximate", "none", {"none", "tanh"},
                           "tanh: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 instead")};
  return Differentiable(std::move(def), Reads::kInput, GeluGradient);
}

OpDef Silu() {
  OpDef def = Unary("silu", "x * sigmoid(x), also called swish.", ResultDType::kFloat,
                    [](ScalarBuilder& b, ScalarValue x) { return b.Mul(x, b.Sigmoid(x)); });
  return Differentiable(std::move(def), Reads::kInput, [](VjpContext& c) {
    const Tensor& x = c.input(0);
    const Tensor s = Apply(c, "sigmoid", x);
    return Times(c, c.grad(), Times(c, s, Plus(c, 1, Times(c, x, OneMinus(c, s)))));
  });
}

OpDef Clip() {
  OpDef def =
      Unary("clip",
            "x, but min where it is below and max where it is above; NaN stays NaN. For "
            "integers, the integers within the bounds. The gradient passes where "
            "min <= x <= max.",
            ResultDType::kNumber, [](ScalarBuilder& b, ScalarValue x, const AttributeMap& attrs) {
              double low = attrs.Double("min");
              double high = attrs.Double("max");
              if (IsInteger(x.type)) low = std::ceil(low), high = std::floor(high);
              return b.Min(b.Max(x, b.Constant(low, x.type)), b.Constant(high, x.type));
            });
  def.attributes = {AttributeDef::Required("min", AttributeType::kDouble, "lower bound"),
                    AttributeDef::Required("max", AttributeType::kDouble, "upper bound")};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    if (!(c.attrs().Double("min") <= c.attrs().Double("max"))) {
      return c.Error("min must not be greater than max, and neither may be NaN");
    }
    return InferElementwise(c, ResultDType::kNumber);
  };
  return Differentiable(std::move(def), Reads::kInput, [](VjpContext& c) {
    const Tensor& x = c.input(0);
    const Tensor above = c.emit("greater_equal", {x, c.emit.Full(c.attrs().Double("min"), x)});
    const Tensor below = c.emit("less_equal", {x, c.emit.Full(c.attrs().Double("max"), x)});
    return GradientWhere(c, c.emit("logical_and", {above, below}));
  });
}

// --- copies and conversions ----------------------------------------------------------------------

ScalarValue Same(ScalarBuilder&, ScalarValue x) { return x; }

OpDef Cast() {
  OpDef def = Unary("cast",
                    "x as another dtype. Floating point to integer truncates and saturates at 32 "
                    "or 64 bits (smaller types wrap), NaN gives 0; to bool: x != 0. The gradient "
                    "is cast back; integers and bools have none.",
                    ResultDType::kPromoted, Same);
  def.attributes = {AttributeDef::Required("dtype", AttributeType::kDType, "dtype of the result")};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{{c.attrs().Type("dtype"), c.input(0).shape}};
  };
  return Differentiable(std::move(def), Reads::kNothing, [](VjpContext& c) {
    return IsFloating(c.attrs().Type("dtype")) ? c.grad() : Tensor();
  });
}

OpDef Identity() {
  return Differentiable(
      Unary("identity", "A copy of x, contiguous in memory.", ResultDType::kPromoted, Same),
      Reads::kNothing, [](VjpContext& c) { return c.grad(); });
}

OpDef StopGradient() {
  OpDef def = NotDifferentiable(
      Unary("stop_gradient", "x, as a constant to gradients.", ResultDType::kPromoted, Same));
  def.vjp = [](VjpContext& c) -> absl::StatusOr<TensorList> { return TensorList(1); };
  def.view = [](const TensorLayout& input, const AttributeMap&, absl::Span<const TensorSpec>,
                LayoutList* layouts) {
    layouts->assign(1, input);
    return true;
  };
  return def;
}

OpDef LogicalNot() {
  OpDef def = Unary("logical_not", "True where x is false (0).", ResultDType::kBool,
                    Instruction<ScalarOp::kNot>);
  def.traits.bool_inputs = 1;
  return NotDifferentiable(std::move(def));
}

OpDef IsNan() {
  return NotDifferentiable(Unary("isnan", "True where x is NaN; integers never are.",
                                 ResultDType::kBool,
                                 [](ScalarBuilder& b, ScalarValue x) { return b.IsNan(x); }));
}

}  // namespace

absl::Status RegisterElementwiseUnaryOps(OpRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(RegisterArithmetic(registry));
  TANDEM_RETURN_IF_ERROR(RegisterFunctions(registry));
  for (auto define :
       {Relu, LeakyRelu, Gelu, Silu, Clip, Cast, Identity, StopGradient, LogicalNot, IsNan}) {
    TANDEM_RETURN_IF_ERROR(registry->Register(define()));
  }
  return absl::OkStatus();
}

}  // namespace tandem
