// The composed operations of ScalarBuilder, but Pow (scalar_pow.cc).
#include <algorithm>
#include <iterator>

#include "tandem/core/op/scalar_expr.h"

namespace tandem {
namespace {

// c[0] + x (c[1] + x (c[2] + …)).
template <size_t N>
ScalarValue Horner(ScalarBuilder& b, const double (&c)[N], ScalarValue x) {
  ScalarValue sum = b.Constant(c[N - 1], x.type);
  for (size_t i = N - 1; i-- > 0;) sum = b.Add(b.Constant(c[i], x.type), b.Mul(x, sum));
  return sum;
}

// erf has two ranges. Near zero, erf(x) = x P(x²). Further out, erf(x) = 1 - exp(Q(|x| - shift))
// with Q a fit of log(erfc): an absolute error suffices there, since erfc is small beside 1. The
// coefficients are weighted least-squares fits on Chebyshev nodes, reweighted towards minimax
// (Lawson's algorithm) with 60 digits. The bounds are those of the approximation alone.
struct ErfRanges {
  double split;  // where the ranges meet
  double last;   // erf rounds to 1 from here on
  double shift;
};

// |x| < 0.92: relative error 4e-10.
constexpr double kErfNearF32[] = {1.128379167,    -0.3761263376,    0.1128369587,  -0.02685941789,
                                  0.005201077604, -0.0008143182123, 8.371978492e-5};
// 0.9 .. 4: absolute error 6e-10.
constexpr double kErfFarF32[] = {0.0001006908629, -1.129163732,   -0.6340412869,   -0.1075403118,
                                 0.02466178287,   -0.00400703914, 0.0004029963482, -1.860785614e-5};
constexpr ErfRanges kErfRangesF32 = {0.9, 4.0, 0.0};

// |x| < 1: relative error 1.3e-19.
constexpr double kErfNearF64[] = {
    1.128379167095512574,     -0.3761263890318374764,     0.1128379167095485935,
    -0.02686617064507326462,  0.005223977624784614017,    -0.000854832697896407948,
    0.0001205533104516794251, -0.00001492559370863208585, 1.646097608709603871e-6,
    -1.635006011863155145e-7, 1.465811537909455658e-8,    -1.136657730041997998e-9,
    5.946801747302803905e-11};
// 1 .. 6, in |x| - 2: absolute error 1e-17.
constexpr double kErfFarF64[] = {
    -5.364941264616637007,     -4.418160805994383179,      -0.9237508418237085179,
    -0.01646511813775129071,   0.003570756343168356857,    -0.0007323993812994575184,
    0.0001353093550934308998,  -0.00002070643764195694821, 1.952138129136605181e-6,
    2.036387011927693556e-7,   -1.731262907133332324e-7,   5.780480271738808761e-8,
    -1.401484749041387564e-8,  2.539399726848551475e-9,    -2.444518063209840337e-10,
    -4.780298094731619619e-11, 3.092371818506384482e-11,   -8.05914347553670297e-12,
    1.228674999750185955e-12,  -1.055755182813810635e-13,  3.955069925097644637e-15};
constexpr ErfRanges kErfRangesF64 = {1.0, 6.0, 2.0};

template <size_t M, size_t N>
ScalarValue LowerErf(ScalarBuilder& b, ScalarValue x, const double (&near)[M],
                     const double (&far)[N], const ErfRanges& ranges) {
  const ScalarType type = x.type;
  const ScalarValue magnitude = b.Unary(ScalarOp::kAbs, x);
  const ScalarValue small = b.Mul(x, Horner(b, near, b.Mul(x, x)));
  const ScalarValue last = b.Constant(ranges.last, type);
  // Written so that NaN stays.
  ScalarValue clamped = b.Select(b.Lt(last, magnitude), last, magnitude);
  if (ranges.shift != 0) clamped = b.Sub(clamped, b.Constant(ranges.shift, type));
  const ScalarValue erfc = b.Unary(ScalarOp::kExp, Horner(b, far, clamped));
  const ScalarValue large = b.Sub(b.Constant(1, type), erfc);
  const ScalarValue negative = b.Lt(x, b.Constant(0, type));
  const ScalarValue signed_large = b.Select(negative, b.Unary(ScalarOp::kNeg, large), large);
  return b.Select(b.Lt(magnitude, b.Constant(ranges.split, type)), small, signed_large);
}

}  // namespace

ScalarValue ScalarBuilder::Min(ScalarValue a, ScalarValue b) {
  if (a.type == ScalarType::kBool) return Binary(ScalarOp::kAnd, a, b);
  ScalarValue takes_a = Lt(a, b);
  // If b is NaN, the comparison is false and b is taken.
  if (IsFloating(a.type)) takes_a = Binary(ScalarOp::kOr, takes_a, IsNan(a));
  return Select(takes_a, a, b);
}

ScalarValue ScalarBuilder::Max(ScalarValue a, ScalarValue b) {
  if (a.type == ScalarType::kBool) return Binary(ScalarOp::kOr, a, b);
  ScalarValue takes_a = Lt(b, a);
  if (IsFloating(a.type)) takes_a = Binary(ScalarOp::kOr, takes_a, IsNan(a));
  return Select(takes_a, a, b);
}

ScalarValue ScalarBuilder::IsNan(ScalarValue a) {
  if (!IsFloating(a.type)) return Constant(0, ScalarType::kBool);
  return Ne(a, a);
}

ScalarValue ScalarBuilder::Sign(ScalarValue a) {
  const ScalarValue zero = Constant(0, a.type);
  const ScalarValue one = Constant(1, a.type);
  const ScalarValue minus_one = Constant(-1, a.type);
  // The rest is zero and NaN, which stay as they are.
  return Select(Lt(zero, a), one, Select(Lt(a, zero), minus_one, a));
}

ScalarValue ScalarBuilder::Erf(ScalarValue a) {
  if (a.type == ScalarType::kF64) {
    return LowerErf(*this, a, kErfNearF64, kErfFarF64, kErfRangesF64);
  }
  return LowerErf(*this, a, kErfNearF32, kErfFarF32, kErfRangesF32);
}

ScalarValue ScalarBuilder::Sigmoid(ScalarValue a) {
  // exp(-|a|) cannot overflow, and for negative a the quotient exp(a) / (1 + exp(a)) keeps its
  // relative precision where 1 / (1 + exp(-a)) would round to zero.
  const ScalarValue one = Constant(1, a.type);
  const ScalarValue e = Unary(ScalarOp::kExp, Unary(ScalarOp::kNeg, Unary(ScalarOp::kAbs, a)));
  const ScalarValue numerator = Select(Lt(a, Constant(0, a.type)), e, one);
  return Div(numerator, Add(one, e));
}

ScalarValue ScalarBuilder::Softplus(ScalarValue a) {
  const ScalarValue e = Unary(ScalarOp::kExp, Unary(ScalarOp::kNeg, Unary(ScalarOp::kAbs, a)));
  return Add(Max(a, Constant(0, a.type)), Unary(ScalarOp::kLog1p, e));
}

ScalarValue ScalarBuilder::FloorMod(ScalarValue a, ScalarValue b) {
  const ScalarValue zero = Constant(0, a.type);
  const ScalarValue rem = Binary(ScalarOp::kRem, a, b);  // has the sign of a
  const ScalarValue signs_differ = Ne(Lt(rem, zero), Lt(b, zero));
  const ScalarValue adjust = Binary(ScalarOp::kAnd, Ne(rem, zero), signs_differ);
  return Select(adjust, Add(rem, b), rem);
}

ScalarValue ScalarBuilder::FloorDiv(ScalarValue a, ScalarValue b) {
  const ScalarValue zero = Constant(0, a.type);
  const ScalarValue rem = Binary(ScalarOp::kRem, a, b);
  const ScalarValue signs_differ = Ne(Lt(rem, zero), Lt(b, zero));
  const ScalarValue adjust = Binary(ScalarOp::kAnd, Ne(rem, zero), signs_differ);
  if (IsInteger(a.type)) {
    const ScalarValue quotient = Div(a, b);
    return Select(adjust, Sub(quotient, Constant(1, a.type)), quotient);
  }
  // a - rem is a multiple of b up to rounding, so its quotient is rounded to the integer that it
  // is; floor(a / b) would be one too much where a / b rounds up to an integer.
  const ScalarValue quotient = Unary(ScalarOp::kRint, Div(Sub(a, rem), b));
  const ScalarValue floored = Select(adjust, Sub(quotient, Constant(1, a.type)), quotient);
  return Select(Eq(b, zero), Div(a, b), floored);
}

}  // namespace tandem
