#include "tandem/core/op/scalar_expr.h"

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/op/scalar_reference.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using UnaryLowering = ScalarValue (ScalarBuilder::*)(ScalarValue);
using BinaryLowering = ScalarValue (ScalarBuilder::*)(ScalarValue, ScalarValue);

ScalarExpr BuildUnary(UnaryLowering lowering, DType dtype) {
  ScalarBuilder b;
  b.Output((b.*lowering)(b.Input(0, dtype)), dtype);
  return b.Finish().value();
}

ScalarExpr BuildBinary(BinaryLowering lowering, DType dtype) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, dtype);
  const ScalarValue y = b.Input(1, dtype);
  b.Output((b.*lowering)(x, y), dtype);
  return b.Finish().value();
}

double Eval(const ScalarExpr& expr, std::initializer_list<double> inputs) {
  std::vector<ScalarNumber> numbers;
  for (double v : inputs) {
    numbers.push_back(ScalarNumber::Real(ComputeType(expr.inputs[numbers.size()]), v));
  }
  return EvaluateScalarExpr(expr, numbers).value()[0].AsDouble();
}

int64_t EvalInt(const ScalarExpr& expr, std::initializer_list<int64_t> inputs) {
  std::vector<ScalarNumber> numbers;
  for (int64_t v : inputs) {
    numbers.push_back(ScalarNumber::Integer(ComputeType(expr.inputs[numbers.size()]), v));
  }
  return EvaluateScalarExpr(expr, numbers).value()[0].integer;
}

// The distance of `actual` from the exact value, in units of the last place that the type has
// there.
double UlpError(double actual, long double exact, DType dtype) {
  const bool single = dtype == DType::kF32;
  const double rounded = single ? static_cast<float>(exact) : static_cast<double>(exact);
  if (std::isnan(rounded) || std::isinf(rounded)) {
    const bool same = std::isnan(rounded) ? std::isnan(actual) : actual == rounded;
    return same ? 0 : kInf;
  }
  if (std::isnan(actual) || std::isinf(actual)) return kInf;
  const int lowest = single ? -149 : -1074;
  const int digits = single ? 24 : 53;
  int exponent;
  std::frexp(rounded, &exponent);
  const int ulp = rounded == 0 ? lowest : std::max(exponent - digits, lowest);
  return std::fabs(static_cast<double>(std::ldexp(actual - exact, -ulp)));
}

// Out of line because GCC 12 loses the rounding where it vectorizes two of these side by side.
[[gnu::noinline]] double RoundToF32(double x) { return static_cast<float>(x); }

bool SameNumber(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

// --- structure -----------------------------------------------------------------------------------

TEST(ScalarExpr, Prints) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF16);
  b.Output(b.Mul(b.Constant(0.5, x.type), b.RoundTo(x, DType::kF16)), DType::kF16);
  EXPECT_EQ(b.Finish()->ToString(),
            "%0 = input f32 #0 f16\n"
            "%1 = round f32 f16 %0\n"
            "%2 = constant f32 0.5\n"
            "%3 = mul f32 %2, %1\n"
            "output %3 f16\n");
}

TEST(ScalarExpr, EqualInstructionsBecomeOne) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, DType::kF32);
  const ScalarValue s1 = b.Mul(x, x);
  const ScalarValue s2 = b.Mul(b.Input(0, DType::kF32), x);
  EXPECT_EQ(s1.id, s2.id);
  EXPECT_EQ(b.Constant(kNan, x.type).id, b.Constant(kNan, x.type).id);
  EXPECT_NE(b.Constant(0.0, x.type).id, b.Constant(-0.0, x.type).id);
  EXPECT_NE(b.Constant(1, ScalarType::kF32).id, b.Constant(1, ScalarType::kF64).id);
}

TEST(ScalarExpr, ConstantsAreConverted) {
  ScalarBuilder b;
  b.Output(b.Constant(0.1, ScalarType::kF32), DType::kF32);
  b.Output(b.Constant(kInf, ScalarType::kI32), DType::kI32);
  b.Output(b.Constant(-kInf, ScalarType::kI64), DType::kI64);
  b.Output(b.Constant(kNan, ScalarType::kI64), DType::kI64);
  b.Output(b.Constant(2, ScalarType::kBool), DType::kBool);
  const ScalarExpr expr = b.Finish().value();
  const auto values = EvaluateScalarExpr(expr, {}).value();
  EXPECT_EQ(values[0].real, 0.1f);
  EXPECT_EQ(values[1].integer, std::numeric_limits<int32_t>::max());
  EXPECT_EQ(values[2].integer, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(values[3].integer, 0);
  EXPECT_EQ(values[4].integer, 1);
}

TEST(ScalarExpr, TypeMistakesAreErrors) {
  ScalarBuilder b;
  const ScalarValue sum = b.Add(b.Input(0, DType::kF32), b.Input(1, DType::kI32));
  b.Output(sum, DType::kF32);
  const auto expr = b.Finish();
  EXPECT_EQ(expr.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(expr.status().message(), HasSubstr("i32 and f32"));

  ScalarBuilder wrong_output;
  wrong_output.Output(wrong_output.Input(0, DType::kF64), DType::kF32);
  EXPECT_THAT(wrong_output.Finish().status().message(), HasSubstr("does not store as f32"));
  EXPECT_FALSE(ScalarBuilder().Finish().ok());  // no output

  ScalarBuilder logic;
  logic.Output(logic.Unary(ScalarOp::kExp, logic.Input(0, DType::kI32)), DType::kI32);
  EXPECT_THAT(logic.Finish().status().message(), HasSubstr("not defined for i32"));
}

TEST(ScalarExpr, LengthIsBounded) {
  ScalarBuilder b;
  ScalarValue x = b.Input(0, DType::kF32);
  for (size_t i = 1; i < ScalarExpr::kMaxInstructions; ++i) x = b.Unary(ScalarOp::kNeg, x);
  EXPECT_TRUE(b.status().ok()) << b.status();
  ScalarBuilder longer = b;
  b.Output(x, DType::kF32);
  const auto longest = b.Finish();
  ASSERT_TRUE(longest.ok()) << longest.status();
  EXPECT_EQ(longest->instructions.size(), ScalarExpr::kMaxInstructions);
  // What is there already adds nothing.
  EXPECT_EQ(longer.Input(0, DType::kF32).id, 0);
  EXPECT_TRUE(longer.status().ok());
  EXPECT_EQ(longer.Unary(ScalarOp::kNeg, x).id, -1);
  EXPECT_EQ(longer.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(longer.Input(0, DType::kF32).id, -1);
  longer.Output(x, DType::kF32);
  EXPECT_EQ(longer.Finish().status().code(), absl::StatusCode::kUnimplemented);
  // One that no builder made.
  ScalarExpr made = *longest;
  ScalarInstruction last = made.instructions.back();
  made.instructions.push_back(last);
  EXPECT_EQ(made.Verify().code(), absl::StatusCode::kUnimplemented);

  ScalarBuilder wide;
  wide.Input(ScalarExpr::kMaxInputs - 1, DType::kF32);
  EXPECT_TRUE(wide.status().ok()) << wide.status();
  wide.Input(ScalarExpr::kMaxInputs, DType::kF32);
  EXPECT_EQ(wide.status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ScalarExpr, VerifyRejectsWhatABuilderCannotMake) {
  const ScalarExpr good = BuildUnary(&ScalarBuilder::Sigmoid, DType::kF32);
  ASSERT_TRUE(good.Verify().ok());
  ScalarExpr later = good;
  later.instructions.back().a = static_cast<int16_t>(later.instructions.size());
  EXPECT_FALSE(later.Verify().ok());
  ScalarExpr no_input = good;
  no_input.inputs.clear();
  EXPECT_FALSE(no_input.Verify().ok());
  ScalarExpr no_value = good;
  no_value.outputs[0].value = -1;
  EXPECT_FALSE(no_value.Verify().ok());
  ScalarExpr no_op = good;
  no_op.instructions[0].op = static_cast<ScalarOp>(200);
  EXPECT_FALSE(no_op.Verify().ok());
}

// --- the reference evaluator ---------------------------------------------------------------------

TEST(ScalarReference, IntegersWrapAndNeverTrap) {
  const auto run = [](ScalarOp op, DType dtype, int64_t x, int64_t y) {
    ScalarBuilder b;
    b.Output(b.Binary(op, b.Input(0, dtype), b.Input(1, dtype)), dtype);
    return EvalInt(b.Finish().value(), {x, y});
  };
  constexpr int64_t kMin32 = std::numeric_limits<int32_t>::min();
  constexpr int64_t kMin64 = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(run(ScalarOp::kAdd, DType::kI32, 2147483647, 1), kMin32);
  EXPECT_EQ(run(ScalarOp::kDiv, DType::kI32, kMin32, -1), kMin32);
  EXPECT_EQ(run(ScalarOp::kDiv, DType::kI64, kMin64, -1), kMin64);
  EXPECT_EQ(run(ScalarOp::kRem, DType::kI64, kMin64, -1), 0);
  EXPECT_EQ(run(ScalarOp::kDiv, DType::kI64, 5, 0), 0);
  EXPECT_EQ(run(ScalarOp::kRem, DType::kI64, 5, 0), 0);
  EXPECT_EQ(run(ScalarOp::kAdd, DType::kU8, 200, 100), 44);
  EXPECT_EQ(run(ScalarOp::kMul, DType::kI8, 100, 2), -56);
  EXPECT_EQ(run(ScalarOp::kDiv, DType::kI32, -7, 2), -3);
}

TEST(ScalarReference, Casts) {
  EXPECT_EQ(CastScalar(ScalarNumber::Real(ScalarType::kF32, -1.9), ScalarType::kI32).integer, -1);
  EXPECT_EQ(CastScalar(ScalarNumber::Real(ScalarType::kF32, 1e20), ScalarType::kI32).integer,
            2147483647);
  EXPECT_EQ(CastScalar(ScalarNumber::Real(ScalarType::kF64, 0x1p63), ScalarType::kI64).integer,
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(CastScalar(ScalarNumber::Real(ScalarType::kF32, kNan), ScalarType::kI64).integer, 0);
  EXPECT_EQ(CastScalar(ScalarNumber::Real(ScalarType::kF32, kNan), ScalarType::kBool).integer, 1);
  EXPECT_EQ(
      CastScalar(ScalarNumber::Integer(ScalarType::kI64, 4294967297), ScalarType::kI32).integer, 1);
  EXPECT_EQ(RoundScalar(ScalarNumber::Real(ScalarType::kF32, 1.0004), DType::kF16).real, 1.0);
}

TEST(ScalarReference, RefusesOtherInputs) {
  const ScalarExpr expr = BuildUnary(&ScalarBuilder::Sigmoid, DType::kF32);
  EXPECT_FALSE(EvaluateScalarExpr(expr, {}).ok());
  EXPECT_FALSE(EvaluateScalarExpr(expr, {ScalarNumber::Integer(ScalarType::kI32, 1)}).ok());
}

// --- lowerings -----------------------------------------------------------------------------------

TEST(ScalarLowering, MinMaxKeepNan) {
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const ScalarExpr min = BuildBinary(&ScalarBuilder::Min, dtype);
    const ScalarExpr max = BuildBinary(&ScalarBuilder::Max, dtype);
    EXPECT_EQ(Eval(min, {1, 2}), 1);
    EXPECT_EQ(Eval(min, {2, 1}), 1);
    EXPECT_EQ(Eval(max, {1, 2}), 2);
    EXPECT_EQ(Eval(max, {2, 1}), 2);
    EXPECT_EQ(Eval(max, {-kInf, 1}), 1);
    for (const ScalarExpr* expr : {&min, &max}) {
      EXPECT_TRUE(std::isnan(Eval(*expr, {kNan, 1})));
      EXPECT_TRUE(std::isnan(Eval(*expr, {1, kNan})));
      EXPECT_TRUE(std::isnan(Eval(*expr, {kNan, kNan})));
    }
  }
  EXPECT_EQ(EvalInt(BuildBinary(&ScalarBuilder::Min, DType::kI64), {-5, 3}), -5);
  EXPECT_EQ(EvalInt(BuildBinary(&ScalarBuilder::Max, DType::kBool), {0, 1}), 1);
}

TEST(ScalarLowering, Sign) {
  const ScalarExpr sign = BuildUnary(&ScalarBuilder::Sign, DType::kF32);
  EXPECT_EQ(Eval(sign, {-3}), -1);
  EXPECT_EQ(Eval(sign, {kInf}), 1);
  EXPECT_TRUE(SameNumber(Eval(sign, {-0.0}), -0.0));
  EXPECT_TRUE(std::isnan(Eval(sign, {kNan})));
  EXPECT_EQ(EvalInt(BuildUnary(&ScalarBuilder::Sign, DType::kI8), {-128}), -1);
}

// The greatest error over every `step`-th f32 (or f64, by the upper bits).
double Sweep(const ScalarExpr& expr, DType dtype, const std::function<long double(double)>& exact) {
  double worst = 0;
  double at = 0;
  const auto check = [&](double x) {
    const double error = UlpError(Eval(expr, {x}), exact(x), dtype);
    if (error > worst) worst = error, at = x;
  };
  if (dtype == DType::kF32) {
    for (uint32_t bits = 0; bits < 0x7F800000u; bits += 9973) {
      const float x = std::bit_cast<float>(bits);
      check(x);
      check(-x);
    }
    for (int i = 0; i < 40000; ++i) check(static_cast<float>((i - 20000) * 2.5e-4));
  } else {
    for (uint64_t high = 0; high < 0x7FF0000000000000u; high += 0x0000A1B2C3D4E5F7u * 3) {
      const double x = std::bit_cast<double>(high);
      check(x);
      check(-x);
    }
    for (int i = 0; i < 60000; ++i) check((i - 30000) * 2.3456789e-4);
  }
  EXPECT_TRUE(std::isnan(Eval(expr, {kNan})));
  std::printf("  %s: %.3f ulp at %.17g\n", std::string(DTypeName(dtype)).c_str(), worst, at);
  return worst;
}

TEST(ScalarLowering, ErfWithin4Ulp) {
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const ScalarExpr erf = BuildUnary(&ScalarBuilder::Erf, dtype);
    EXPECT_LE(Sweep(erf, dtype, [](double x) { return erfl(x); }), 4);
    EXPECT_EQ(Eval(erf, {kInf}), 1);
    EXPECT_EQ(Eval(erf, {-kInf}), -1);
    EXPECT_TRUE(SameNumber(Eval(erf, {-0.0}), -0.0));
  }
}

TEST(ScalarLowering, SigmoidAndSoftplusWithin4Ulp) {
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const ScalarExpr sigmoid = BuildUnary(&ScalarBuilder::Sigmoid, dtype);
    EXPECT_LE(Sweep(sigmoid, dtype, [](double x) { return 1 / (1 + expl(-x)); }), 4);
    EXPECT_EQ(Eval(sigmoid, {-kInf}), 0);
    EXPECT_EQ(Eval(sigmoid, {kInf}), 1);
    const ScalarExpr softplus = BuildUnary(&ScalarBuilder::Softplus, dtype);
    EXPECT_LE(Sweep(softplus, dtype,
                    [](double x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }),
              4);
    EXPECT_EQ(Eval(softplus, {kInf}), kInf);
    EXPECT_EQ(Eval(softplus, {-kInf}), 0);
  }
}

TEST(ScalarLowering, PowWithin4Ulp) {
  std::mt19937_64 random(20260101);
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const bool single = dtype == DType::kF32;
    const ScalarExpr pow = BuildBinary(&ScalarBuilder::Pow, dtype);
    double worst = 0, worst_x = 0, worst_y = 0;
    const auto check = [&](double x, double y) {
      if (single) x = RoundToF32(x), y = RoundToF32(y);
      const double error = UlpError(Eval(pow, {x, y}), powl(x, y), dtype);
      if (error > worst) worst = error, worst_x = x, worst_y = y;
    };
    std::uniform_real_distribution<double> unit(-1, 1);
    for (int i = 0; i < 20000; ++i) {
      // Any base, with an exponent that keeps the result in range or just leaves it.
      const double x = std::exp2(unit(random) * (single ? 148 : 1073));
      check(x, unit(random) * (single ? 110 : 750) / std::max(std::fabs(std::log(x)), 1e-3));
      check(-x, std::round(unit(random) * 20));
      // Bases close to 1 with large exponents.
      const double near_one = 1 + unit(random) * std::exp2(-2 - 20 * std::fabs(unit(random)));
      check(near_one, unit(random) * 700 / std::fabs(std::log1p(near_one - 1)));
      check(1 + unit(random), unit(random) * 4);
    }
    std::printf("  %s: %.3f ulp at (%.17g, %.17g)\n", std::string(DTypeName(dtype)).c_str(), worst,
                worst_x, worst_y);
    EXPECT_LE(worst, 4);
  }
}

// C99, annex F.9.4.4: std::pow is the reference for every pair of special values.
TEST(ScalarLowering, PowSpecialCases) {
  const double values[] = {0.0,  -0.0,  1.0,   -1.0,   2.0,  -2.0,  3.0,       -3.0,
                           0.5,  -0.5,  1.5,   -1.5,   4.0,  kInf,  -kInf,     kNan,
                           1e30, -1e30, 1e-30, -1e-30, 0.25, -0.75, 16777217.0};
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const ScalarExpr pow = BuildBinary(&ScalarBuilder::Pow, dtype);
    for (double x : values) {
      for (double y : values) {
        const double xs = dtype == DType::kF32 ? static_cast<float>(x) : x;
        const double ys = dtype == DType::kF32 ? static_cast<float>(y) : y;
        const double expected =
            dtype == DType::kF32 ? static_cast<float>(std::pow(xs, ys)) : std::pow(xs, ys);
        const double actual = Eval(pow, {x, y});
        const bool special = std::isnan(expected) || std::isinf(expected) || expected == 0;
        if (special) {
          EXPECT_TRUE(SameNumber(actual, expected))
              << x << " ^ " << y << ": " << actual << ", not " << expected;
        } else {
          EXPECT_LE(UlpError(actual, powl(xs, ys), dtype), 4) << x << " ^ " << y;
        }
      }
    }
  }
}

TEST(ScalarLowering, IntegerPow) {
  for (DType dtype : {DType::kI32, DType::kI64}) {
    const ScalarExpr pow = BuildBinary(&ScalarBuilder::Pow, dtype);
    EXPECT_EQ(EvalInt(pow, {3, 5}), 243);
    EXPECT_EQ(EvalInt(pow, {-2, 3}), -8);
    EXPECT_EQ(EvalInt(pow, {0, 0}), 1);
    EXPECT_EQ(EvalInt(pow, {7, 0}), 1);
    EXPECT_EQ(EvalInt(pow, {2, -1}), 0);
    EXPECT_EQ(EvalInt(pow, {0, -1}), 0);
    EXPECT_EQ(EvalInt(pow, {1, -5}), 1);
    EXPECT_EQ(EvalInt(pow, {-1, -5}), -1);
    EXPECT_EQ(EvalInt(pow, {-1, -6}), 1);
  }
  EXPECT_EQ(EvalInt(BuildBinary(&ScalarBuilder::Pow, DType::kI64), {3, 39}), 4052555153018976267);
  EXPECT_EQ(EvalInt(BuildBinary(&ScalarBuilder::Pow, DType::kI32), {3, 21}),
            static_cast<int32_t>(10460353203));  // wraps
}

TEST(ScalarLowering, FloorDivAndModFollowPython) {
  for (DType dtype : {DType::kI8, DType::kI32, DType::kI64}) {
    const ScalarExpr div = BuildBinary(&ScalarBuilder::FloorDiv, dtype);
    const ScalarExpr mod = BuildBinary(&ScalarBuilder::FloorMod, dtype);
    for (int64_t x = -9; x <= 9; ++x) {
      for (int64_t y = -4; y <= 4; ++y) {
        const int64_t q = y == 0 ? 0 : static_cast<int64_t>(std::floor(double(x) / double(y)));
        EXPECT_EQ(EvalInt(div, {x, y}), q) << x << " // " << y;
        EXPECT_EQ(EvalInt(mod, {x, y}), y == 0 ? 0 : x - q * y) << x << " % " << y;
      }
    }
  }
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const ScalarExpr div = BuildBinary(&ScalarBuilder::FloorDiv, dtype);
    const ScalarExpr mod = BuildBinary(&ScalarBuilder::FloorMod, dtype);
    EXPECT_EQ(Eval(div, {7.5, -2}), -4);
    EXPECT_EQ(Eval(mod, {7.5, -2}), -0.5);
    EXPECT_EQ(Eval(mod, {-7.5, 2}), 0.5);
    EXPECT_EQ(Eval(div, {-5, kInf}), -1);
    EXPECT_EQ(Eval(div, {5, kInf}), 0);
    EXPECT_EQ(Eval(mod, {-5, kInf}), kInf);
    EXPECT_EQ(Eval(div, {1, 0}), kInf);
    EXPECT_EQ(Eval(div, {-1, 0}), -kInf);
    EXPECT_TRUE(std::isnan(Eval(div, {0, 0})));
    EXPECT_TRUE(std::isnan(Eval(mod, {1, 0})));
    EXPECT_TRUE(std::isnan(Eval(mod, {kInf, 2})));
  }
  // 1 / 0.1 rounds up to 10, but 0.1 is a little more than a tenth.
  EXPECT_EQ(Eval(BuildBinary(&ScalarBuilder::FloorDiv, DType::kF64), {1, 0.1}), 9);
}

}  // namespace
}  // namespace tandem
