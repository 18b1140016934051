// ScalarBuilder::Pow.
//
// |x|^y is exp(y log|x|). That multiplies the relative error of the logarithm by up to 745, so f32
// is calculated in f64, and f64 with a logarithm of about 2^-64 relative error, held as the
// unevaluated sum of two doubles. Sums and products of such pairs are those of T. J. Dekker, "A
// floating-point technique for extending the available precision", Numerische Mathematik 18 (1971);
// they rely on every instruction being rounded on its own (no contraction to fused operations).
#include <cstdint>

#include "tandem/core/op/scalar_expr.h"

namespace tandem {
namespace {

constexpr ScalarType kF64 = ScalarType::kF64;
constexpr ScalarType kI64 = ScalarType::kI64;

// ln 2 in two parts; the first has 11 zero bits at its end, so that a product with an exponent is
// exact.
constexpr double kLn2High = 0x1.62e42fefa3800p-1;
constexpr double kLn2Low = 0x1.ef35793c76730p-45;

// The value high + low, |low| <= ulp(high) / 2.
struct Pair {
  ScalarValue high;
  ScalarValue low;
};

class PairMath {
 public:
  explicit PairMath(ScalarBuilder& builder) : b(builder) {}

  ScalarValue Constant(double value) { return b.Constant(value, kF64); }
  ScalarValue Integer(int64_t value) { return b.ConstantInt(value, kI64); }

  // x + y exactly, for |x| >= |y| or x = 0.
  Pair FastSum(ScalarValue x, ScalarValue y) {
    const ScalarValue sum = b.Add(x, y);
    return {sum, b.Sub(y, b.Sub(sum, x))};
  }
  // x + y exactly.
  Pair Sum(ScalarValue x, ScalarValue y) {
    const ScalarValue sum = b.Add(x, y);
    const ScalarValue y_part = b.Sub(sum, x);
    const ScalarValue x_part = b.Sub(sum, y_part);
    return {sum, b.Add(b.Sub(x, x_part), b.Sub(y, y_part))};
  }
  // x y exactly.
  Pair Product(ScalarValue x, ScalarValue y) {
    const ScalarValue product = b.Mul(x, y);
    const Pair xs = Split(x);
    const Pair ys = Split(y);
    ScalarValue error = b.Sub(b.Mul(xs.high, ys.high), product);
    error = b.Add(error, b.Mul(xs.high, ys.low));
    error = b.Add(error, b.Mul(xs.low, ys.high));
    return {product, b.Add(error, b.Mul(xs.low, ys.low))};
  }
  Pair Product(Pair x, ScalarValue y) {
    const Pair p = Product(x.high, y);
    return FastSum(p.high, b.Add(p.low, b.Mul(x.low, y)));
  }
  Pair Product(Pair x, Pair y) {
    const Pair p = Product(x.high, y.high);
    const ScalarValue cross = b.Add(b.Mul(x.high, y.low), b.Mul(x.low, y.high));
    return FastSum(p.high, b.Add(p.low, cross));
  }

  ScalarBuilder& b;

 private:
  // Halves of 26 bits each.
  Pair Split(ScalarValue x) {
    const ScalarValue scaled = b.Mul(x, Constant(0x1p27 + 1));
    const ScalarValue high = b.Sub(scaled, b.Sub(scaled, x));
    return {high, b.Sub(x, high)};
  }
};

// log(x) for finite x > 0; anything for other x.
Pair PairLog(PairMath& math, ScalarValue x) {
  ScalarBuilder& b = math.b;
  // x = m 2^k with m in [sqrt(1/2), sqrt(2)).
  const ScalarValue subnormal = b.Lt(x, math.Constant(0x1p-1022));
  const ScalarValue normal = b.Select(subnormal, b.Mul(x, math.Constant(0x1p54)), x);
  const ScalarValue bits = b.Bitcast(normal, kI64);
  const ScalarValue above = b.Sub(bits, math.Integer(0x3FE6A09E667F3BCD));  // bits of sqrt(1/2)
  const ScalarValue exponent = b.Binary(ScalarOp::kShr, above, math.Integer(52));
  const ScalarValue m =
      b.Bitcast(b.Sub(bits, b.Binary(ScalarOp::kShl, exponent, math.Integer(52))), kF64);
  const ScalarValue k =
      b.Sub(b.Cast(exponent, kF64), b.Select(subnormal, math.Constant(54), math.Constant(0)));

  // z = (m - 1) / (m + 1); the numerator is exact, the denominator a pair.
  const ScalarValue one = math.Constant(1);
  const ScalarValue numerator = b.Sub(m, one);
  const Pair denominator = math.FastSum(one, m);
  const ScalarValue z_high = b.Div(numerator, denominator.high);
  const Pair back = math.Product(z_high, denominator.high);
  const ScalarValue remainder =
      b.Sub(b.Sub(b.Sub(numerator, back.high), back.low), b.Mul(z_high, denominator.low));
  const Pair z = {z_high, b.Div(remainder, denominator.high)};

  // log(m) = 2 z (1 + w/3 + w²/5 + …), w = z² < 0.0295. From w²/5 on, doubles suffice; the first
  // omitted term is below 1e-21.
  const Pair w = math.Product(z, z);
  ScalarValue tail = math.Constant(1.0 / 25);
  for (int n = 23; n >= 5; n -= 2) {
    tail = b.Add(math.Constant(1.0 / n), b.Mul(w.high, tail));
  }
  constexpr double kThird = 1.0 / 3;                   // 1/3 - 2^-54/3
  constexpr double kThirdLow = 0x1.5555555555555p-56;  // 2^-54/3
  const Pair third_and_tail = [&] {
    const Pair product = math.Product(w, tail);
    const Pair sum = math.FastSum(math.Constant(kThird), product.high);
    return math.FastSum(sum.high, b.Add(sum.low, b.Add(product.low, math.Constant(kThirdLow))));
  }();
  const Pair correction = math.Product(z, math.Product(w, third_and_tail));
  const Pair half_log = math.FastSum(z.high, correction.high);
  const ScalarValue half_low = b.Add(half_log.low, b.Add(z.low, correction.low));
  const ScalarValue two = math.Constant(2);

  // + k ln 2.
  const Pair sum = math.Sum(b.Mul(k, math.Constant(kLn2High)), b.Mul(two, half_log.high));
  const ScalarValue low = b.Add(b.Mul(two, half_low), b.Mul(k, math.Constant(kLn2Low)));
  return math.FastSum(sum.high, b.Add(sum.low, low));
}

// exp(x), from 0 to infinity.
ScalarValue PairExp(PairMath& math, Pair x) {
  ScalarBuilder& b = math.b;
  // Beyond these the result is 0 or infinity, and the exponent below would leave its bits.
  const ScalarValue limit = math.Constant(800);
  const ScalarValue too_large = b.Lt(limit, b.Unary(ScalarOp::kAbs, x.high));
  const ScalarValue clamped = b.Select(b.Lt(x.high, math.Constant(0)), math.Constant(-800), limit);
  const ScalarValue high = b.Select(too_large, clamped, x.high);
  const ScalarValue low = b.Select(too_large, math.Constant(0), x.low);

  // x = k ln 2 + r, |r| < 0.35.
  const ScalarValue k = b.Unary(ScalarOp::kRint, b.Mul(high, math.Constant(1.4426950408889634074)));
  const Pair r = math.FastSum(b.Sub(high, b.Mul(k, math.Constant(kLn2High))),
                              b.Sub(low, b.Mul(k, math.Constant(kLn2Low))));
  // exp(r) = 1 + r + r² q(r), q by Taylor's series up to r^13 / 13!.
  double factorial = 6227020800.0;
  ScalarValue q = math.Constant(1 / factorial);
  for (int n = 13; n > 2; --n) {
    factorial /= n;
    q = b.Add(math.Constant(1 / factorial), b.Mul(r.high, q));
  }
  const ScalarValue beyond_linear = b.Add(r.low, b.Mul(b.Mul(r.high, r.high), q));
  const ScalarValue mantissa = b.Add(math.Constant(1), b.Add(r.high, beyond_linear));
  // Times 2^k in two steps: 2^k alone may overflow or be subnormal.
  const auto power_of_two = [&](ScalarValue e) {
    const ScalarValue biased = b.Add(e, math.Integer(1023));
    return b.Bitcast(b.Binary(ScalarOp::kShl, biased, math.Integer(52)), kF64);
  };
  const ScalarValue exponent = b.Cast(k, kI64);
  const ScalarValue half = b.Binary(ScalarOp::kShr, exponent, math.Integer(1));
  return b.Mul(b.Mul(mantissa, power_of_two(half)), power_of_two(b.Sub(exponent, half)));
}

// |x|^y for f64, where x is not zero, infinite or NaN.
ScalarValue FiniteMagnitudeF64(ScalarBuilder& b, ScalarValue magnitude, ScalarValue y) {
  PairMath math(b);
  // The least |log x| but 0 is 2^-53, so a larger |y| changes nothing; it would overflow the
  // products.
  const ScalarValue limit = math.Constant(0x1p66);
  const ScalarValue clamped = b.Select(
      b.Lt(limit, y), limit, b.Select(b.Lt(y, math.Constant(-0x1p66)), math.Constant(-0x1p66), y));
  return PairExp(math, math.Product(PairLog(math, magnitude), clamped));
}

// x^y, wrapping. A negative exponent gives 1/x truncated: 0 unless |x| is 1.
ScalarValue IntegerPow(ScalarBuilder& b, ScalarValue x, ScalarValue y) {
  const ScalarType type = x.type;
  const int exponent_bits = type == kI64 ? 63 : 31;
  const ScalarValue zero = b.ConstantInt(0, type);
  const ScalarValue one = b.ConstantInt(1, type);
  ScalarValue result = one;
  ScalarValue square = x;
  for (int i = 0; i < exponent_bits; ++i) {
    const ScalarValue bit = b.Binary(ScalarOp::kAnd, y, b.ConstantInt(int64_t{1} << i, type));
    result = b.Select(b.Ne(bit, zero), b.Mul(result, square), result);
    if (i + 1 < exponent_bits) square = b.Mul(square, square);
  }
  // For |x| = 1 the lowest bit alone decides, also in a negative y.
  const ScalarValue is_unit =
      b.Binary(ScalarOp::kOr, b.Eq(x, one), b.Eq(x, b.ConstantInt(-1, type)));
  const ScalarValue vanishes =
      b.Binary(ScalarOp::kAnd, b.Lt(y, zero), b.Unary(ScalarOp::kNot, is_unit));
  return b.Select(vanishes, zero, result);
}

}  // namespace

ScalarValue ScalarBuilder::Pow(ScalarValue a, ScalarValue b) {
  if (!IsFloating(a.type)) return IntegerPow(*this, a, b);
  const ScalarType type = a.type;
  const ScalarValue zero = Constant(0, type);
  const ScalarValue one = Constant(1, type);
  const ScalarValue infinity = Constant(1.0 / 0.0, type);
  const ScalarValue magnitude = Unary(ScalarOp::kAbs, a);
  const ScalarValue exponent_magnitude = Unary(ScalarOp::kAbs, b);
  const auto both = [&](ScalarValue p, ScalarValue q) { return Binary(ScalarOp::kAnd, p, q); };
  const auto either = [&](ScalarValue p, ScalarValue q) { return Binary(ScalarOp::kOr, p, q); };

  ScalarValue power;
  if (type == kF64) {
    const ScalarValue finite = FiniteMagnitudeF64(*this, magnitude, b);
    // Zero and infinity, by the sign of the exponent; NaN stays.
    const ScalarValue is_zero = Eq(magnitude, zero);
    const ScalarValue is_infinite = Eq(magnitude, infinity);
    const ScalarValue large = either(both(is_zero, Lt(b, zero)), both(is_infinite, Lt(zero, b)));
    const ScalarValue limit = Select(large, infinity, zero);
    power = Select(either(is_zero, is_infinite), limit, finite);
    // What a comparison or a bit operation may have hidden.
    power = Select(either(IsNan(a), IsNan(b)), Add(a, b), power);
  } else {
    const ScalarValue log = Unary(ScalarOp::kLog, Cast(magnitude, kF64));
    power = Cast(Unary(ScalarOp::kExp, Mul(Cast(b, kF64), log)), type);
  }
  // 1^±inf, where 0 * inf was NaN.
  power = Select(both(Eq(magnitude, one), Eq(exponent_magnitude, infinity)), one, power);

  // Negative bases, -0 among them: the sign bit of x and an odd y make the result negative.
  const ScalarType bits = type == kF64 ? kI64 : ScalarType::kI32;
  const ScalarValue sign_bit = Lt(Bitcast(a, bits), ConstantInt(0, bits));
  const ScalarValue is_integer = Eq(Unary(ScalarOp::kFloor, b), b);
  const ScalarValue half = Mul(b, Constant(0.5, type));
  const ScalarValue is_odd = both(is_integer, Ne(Unary(ScalarOp::kFloor, half), half));
  power = Select(both(sign_bit, is_odd), Unary(ScalarOp::kNeg, power), power);
  const ScalarValue negative_finite = both(Lt(a, zero), Ne(magnitude, infinity));
  const ScalarValue undefined =
      both(negative_finite, both(Unary(ScalarOp::kNot, is_integer), Eq(b, b)));
  power = Select(undefined, Constant(0.0 / 0.0, type), power);

  // x^0 and 1^y are 1, for NaN too.
  return Select(either(Eq(a, one), Eq(b, zero)), one, power);
}

}  // namespace tandem
