// Elementwise ops of one input.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "tandem/tests/conformance/case.h"
#include "tandem/tests/conformance/elementwise_reference.h"

namespace tandem::conformance {
namespace {

using ElementFn = std::function<Real(const Element&)>;

struct Unary {
  std::string op;
  Result result;
  ElementFn fn;
  ElementError error;
  Fill floats;    // an ordinary range of floating-point values
  Fill integers;  // and of integers
  bool takes_bool;
};

constexpr Real kHalfPi = 1.57079632679489661923132169163975L;

Real Sign(Real x) { return std::isnan(x) ? x : static_cast<Real>((x > 0) - (x < 0)); }
Real Relu(Real x) { return x > 0 || std::isnan(x) ? x : 0; }
Real Sigmoid(Real x) { return 1 / (1 + std::exp(-x)); }
Real Softplus(Real x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// The smallest positive number of the compute type, in units of roundoff.
Real Smallest(DType dtype) { return ComputeUlp(0, dtype) / UnitRoundoff(dtype); }

ElementFn Of(Real (*fn)(Real)) {
  return [fn](const Element& e) { return fn(e.x[0]); };
}

// x (1 + b) / 2 with b computed to within `slack` units of roundoff: 1 + b may cancel.
Real HalfOnePlusError(Real x, Real y, Real b, Real slack) {
  return std::abs(x) / 2 * (slack + std::abs(1 + b)) + 3 * std::abs(y);
}

Real GeluBounded(const Element& e) {
  const Real x = e.x[0];
  if (e.attrs.String("approximate") == "tanh") {
    return std::tanh(std::sqrt(1 / kHalfPi) * (x + 0.044715L * x * x * x));
  }
  return std::erf(x / std::sqrt(Real{2}));
}

ElementError GeluError() {
  return {.ulps = 0.5L, .absolute = [](const Element& e, Real y) -> Real {
            const Real x = e.x[0];
            const Real b = GeluBounded(e);
            // 4 ulp of erf or tanh itself, and what they make of a wrong argument: its relative
            // error is 2 u for x / sqrt(2), 7 u for the cubic.
            Real slack = 8 * std::abs(b);
            if (e.attrs.String("approximate") == "tanh") {
              const Real z = std::sqrt(1 / kHalfPi) * (x + 0.044715L * x * x * x);
              if (std::isfinite(z)) slack += 7 * std::abs(z) * (1 - b * b);
            } else if (std::isfinite(x)) {
              const Real z = x / std::sqrt(Real{2});
              slack += 2 * std::abs(z) * std::exp(-z * z) * 2 / std::sqrt(2 * kHalfPi);
            }
            return HalfOnePlusError(x, y, b, slack);
          }};
}

ElementError SiluError() {
  return {.ulps = 0.5L, .absolute = [](const Element& e, Real y) -> Real {
            return 11 * std::abs(y) + 4 * std::abs(e.x[0]) * Smallest(e.dtype);
          }};
}

std::vector<Unary> Table() {
  const Fill wide = Uniform(-20, 20);
  const Fill positive = Uniform(0.01L, 30);
  const Fill small = Uniform(-9, 9);
  const Fill small_positive = Uniform(1, 9);
  const auto same = Result::kPromoted;
  const auto real = Result::kFloat;
  return {
      {"neg", same, [](const Element& e) { return -e.x[0]; }, {}, wide, wide, false},
      {"abs", same, [](const Element& e) { return std::abs(e.x[0]); }, {}, wide, wide, false},
      {"sign", same, Of(Sign), {}, wide, wide, false},
      {"floor", same, [](const Element& e) { return std::floor(e.x[0]); }, {}, wide, wide, false},
      {"ceil", same, [](const Element& e) { return std::ceil(e.x[0]); }, {}, wide, wide, false},
      {"round",
       same,
       [](const Element& e) { return std::nearbyint(e.x[0]); },
       {},
       wide,
       wide,
       false},
      {"trunc", same, [](const Element& e) { return std::trunc(e.x[0]); }, {}, wide, wide, false},
      {"square",
       same,
       [](const Element& e) {
         return IsFloating(e.dtype) ? e.x[0] * e.x[0] : WrappedProduct(e.x[0], e.x[0]);
       },
       {},
       wide,
       wide,
       false},
      {"exp",
       real,
       [](const Element& e) { return std::exp(e.x[0]); },
       {.ulps = 4},
       wide,
       small,
       true},
      {"expm1",
       real,
       [](const Element& e) { return std::expm1(e.x[0]); },
       {.ulps = 4},
       Uniform(-3, 3),
       small,
       true},
      {"log",
       real,
       [](const Element& e) { return std::log(e.x[0]); },
       {.ulps = 4},
       positive,
       small_positive,
       true},
      {"log1p",
       real,
       [](const Element& e) { return std::log1p(e.x[0]); },
       {.ulps = 4},
       Uniform(-0.9L, 3),
       small_positive,
       true},
      {"sqrt",
       real,
       [](const Element& e) { return std::sqrt(e.x[0]); },
       {},
       positive,
       small_positive,
       true},
      // Two roundings, of the root and of the quotient.
      {"rsqrt",
       real,
       [](const Element& e) { return 1 / std::sqrt(e.x[0]); },
       {.ulps = 2},
       positive,
       small_positive,
       true},
      {"reciprocal",
       real,
       [](const Element& e) { return 1 / e.x[0]; },
       {},
       positive,
       small_positive,
       true},
      {"sin",
       real,
       [](const Element& e) { return std::sin(e.x[0]); },
       {.ulps = 4},
       wide,
       small,
       true},
      {"cos",
       real,
       [](const Element& e) { return std::cos(e.x[0]); },
       {.ulps = 4},
       wide,
       small,
       true},
      {"tanh",
       real,
       [](const Element& e) { return std::tanh(e.x[0]); },
       {.ulps = 4},
       Uniform(-4, 4),
       small,
       true},
      {"erf",
       real,
       [](const Element& e) { return std::erf(e.x[0]); },
       {.ulps = 4},
       Uniform(-4, 4),
       small,
       true},
      // exp within 4 ulp, that is 8 u, one sum and one quotient.
      {"sigmoid", real, Of(Sigmoid), {.ulps = 10}, Uniform(-9, 9), small, true},
      // exp and log1p within 8 u each, one sum.
      {"softplus", real, Of(Softplus), {.ulps = 17}, Uniform(-9, 9), small, true},
      {"relu", same, Of(Relu), {}, wide, wide, false},
      {"silu", real, [](const Element& e) { return e.x[0] * Sigmoid(e.x[0]); }, SiluError(),
       Uniform(-9, 9), small, true},
      {"stop_gradient", same, [](const Element& e) { return e.x[0]; }, {}, wide, wide, true},
      {"identity", same, [](const Element& e) { return e.x[0]; }, {}, wide, wide, true},
      {"logical_not",
       Result::kBool,
       [](const Element& e) { return Real(e.x[0] == 0); },
       {},
       wide,
       small,
       true},
      {"isnan",
       Result::kBool,
       [](const Element& e) { return Real(std::isnan(e.x[0])); },
       {},
       wide,
       small,
       true},
  };
}

// The cases of one op: every dtype, odd sizes, values at the edges, layouts.
void AddUnary(CaseList* cases, const Unary& unary, std::vector<AttributeInit> attrs = {}) {
  const Reference reference = Elementwise(unary.result, unary.fn, unary.error);
  const auto add = [&](InputDef input) {
    cases->push_back({.op = unary.op,
                      .inputs = {std::move(input)},
                      .attrs = attrs,
                      .reference = reference,
                      // A constant to gradients, but its finite differences are not 0.
                      .gradient = unary.op != "stop_gradient"});
  };
  for (DType dtype : kAllTypes) {
    if (dtype == DType::kBool && !unary.takes_bool) continue;
    const bool floating = IsFloating(dtype);
    Fill fill = floating ? unary.floats : unary.integers;
    if (!floating && fill.low < 0 && dtype == DType::kU8) fill.low = 0;
    if (dtype == DType::kBool) fill = Specials(dtype);
    add(Input(dtype, {65}, fill));
    add(Input(dtype, {1037}, fill));  // more than a tile
    add(Input(dtype, {0, 3}, fill));
    add(Input(dtype, {}, fill));
    // Large integers are rounded before a function of floating point sees them.
    if (floating || unary.result != Result::kFloat) {
      const Fill specials = Specials(dtype);
      add(Input(dtype, {static_cast<int64_t>(specials.values.size())}, specials));
      add(Input(dtype, {7, 9}, specials));
    }
    if (dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kI8 ||
        dtype == DType::kI64) {
      for (Layout layout : kStridedLayouts) add(Input(dtype, {3, 63, 2}, fill, layout));
    }
  }
}

// What C's conversion would do if it were defined everywhere: truncated, cut to 32 or 64 bits,
// wrapped to less.
Real CastElement(const Element& e, DType to) {
  const Real x = e.x[0];
  if (to == DType::kBool) return x != 0;
  if (IsFloating(to) || !IsFloating(e.dtype)) return x;
  if (std::isnan(x)) return 0;
  const Real limit = std::ldexp(Real{1}, to == DType::kI64 ? 63 : 31);
  return std::clamp(std::trunc(x), -limit, limit - 1);
}

void AddCast(CaseList* cases) {
  for (DType from : kAllTypes) {
    for (DType to : kAllTypes) {
      const Reference reference = [to](const RefCall& call) {
        RefTensor y = RefTensor::Like(call.in(0), to);
        for (int64_t i = 0; i < y.size(); ++i) {
          const Real value =
              CastElement({{call.in(0).values[i]}, call.in(0).dtype, call.attrs}, to);
          y.values[i] = IsFloating(to) ? value : RoundTo(value, to);
        }
        return std::vector<RefTensor>{y};
      };
      for (const Fill& fill : {Specials(from), from == DType::kU8 ? Uniform(0, 99) : Fill()}) {
        cases->push_back({.op = "cast",
                          .inputs = {Input(from, {67}, fill)},
                          .attrs = {{"dtype", to}},
                          .reference = reference,
                          .gradient = to == DType::kF64});
      }
    }
  }
}

}  // namespace

void AddUnaryCases(CaseList* cases, BadCaseList* bad) {
  for (const Unary& unary : Table()) {
    AddUnary(cases, unary);
    if (!unary.takes_bool) {
      bad->push_back({unary.op, {{DType::kBool, {2, 3}}}, {}, {"not defined for bool"}});
    }
  }
  const ElementFn gelu = [](const Element& e) { return e.x[0] / 2 * (1 + GeluBounded(e)); };
  for (const char* approximate : {"none", "tanh"}) {
    AddUnary(cases,
             {"gelu", Result::kFloat, gelu, GeluError(), Uniform(-4, 4), Uniform(-4, 4), true},
             {{"approximate", approximate}});
  }
  const ElementFn leaky = [](const Element& e) {
    const DType compute = e.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
    const Real x = e.x[0];
    return x > 0 ? x : x * RoundTo(e.attrs.Double("alpha"), compute);
  };
  for (double alpha : {0.01, 0.25}) {
    AddUnary(cases, {"leaky_relu", Result::kFloat, leaky, {}, Uniform(-4, 4), Uniform(-4, 4), true},
             {{"alpha", alpha}});
  }
  const ElementFn clip = [](const Element& e) -> Real {
    Real low = e.attrs.Double("min"), high = e.attrs.Double("max");
    if (!IsFloating(e.dtype)) low = std::ceil(low), high = std::floor(high);
    const Real x = e.x[0];
    return std::isnan(x) ? x : x < low ? low : x > high ? high : x;
  };
  AddUnary(cases, {"clip", Result::kPromoted, clip, {}, Uniform(-4, 4), Uniform(-4, 4), false},
           {{"min", 0.5}, {"max", 2.5}});
  AddCast(cases);

  const TensorSpec x{DType::kF32, {2, 3}};
  bad->push_back({"clip", {x}, {{"min", 2.0}, {"max", 1.0}}, {"min"}});
  bad->push_back({"clip", {x}, {{"min", 2.0}}, {"max"}, false});
  bad->push_back({"cast", {x}, {}, {"dtype"}, false});
  bad->push_back({"cast", {x}, {{"dtype", "f32"}}, {"dtype"}, false});
  bad->push_back({"gelu", {x}, {{"approximate", "erf"}}, {"approximate", "none", "tanh"}, false});
  bad->push_back({"leaky_relu", {x}, {{"slope", 0.1}}, {"slope", "alpha"}, false});
  for (const char* op :
       {"exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tanh", "erf",
        "sigmoid", "softplus", "silu", "identity", "stop_gradient", "logical_not", "isnan"}) {
    bad->push_back({op, {x, x}, {}, {"takes 1 input"}, false});
  }
}

}  // namespace tandem::conformance
