// Elementwise ops of two and three inputs: broadcasting and promotion.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "tandem/tests/conformance/case.h"
#include "tandem/tests/conformance/elementwise_reference.h"

namespace tandem::conformance {
namespace {

using ElementFn = std::function<Real(const Element&)>;
__extension__ using Int128 = __int128;

struct Binary {
  std::string op;
  Result result;
  ElementFn fn;
  ElementError error = {};
  Fill a = Uniform(-9, 9);
  Fill b = Uniform(-9, 9);
  bool takes_bool = false;
  // False: only the ranges above, no infinities and no limits of integers.
  bool float_specials = true;
  bool integer_specials = true;
  int unpromoted = 0;  // inputs that are taken as bool
};

Real FloorDivInteger(Real a, Real b) {
  if (b == 0) return 0;
  const Int128 x = static_cast<Int128>(a), y = static_cast<Int128>(b);
  const Int128 quotient = x / y;
  return static_cast<Real>(x % y != 0 && (x < 0) != (y < 0) ? quotient - 1 : quotient);
}

Real Mod(const Element& e) {
  const Real a = e.x[0], b = e.x[1];
  if (!IsFloating(e.dtype)) return b == 0 ? 0 : a - b * FloorDivInteger(a, b);
  const Real rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Real Pow(const Element& e) {
  const Real a = e.x[0], b = e.x[1];
  if (IsFloating(e.dtype)) return std::pow(a, b);
  if (b < 0) {
    if (a == 1) return 1;
    if (a == -1) return std::fmod(b, 2) == 0 ? 1 : -1;
    return 0;
  }
  Real power = 1;
  for (Real i = 0; i < b; ++i) power = WrappedProduct(power, a);
  return power;
}

// minimum and maximum: NaN wins.
Real Extremum(const Element& e, bool maximum) {
  const Real a = e.x[0], b = e.x[1];
  if (std::isnan(a)) return a;
  if (std::isnan(b)) return b;
  return (a < b) == maximum ? b : a;
}

std::vector<Binary> Table() {
  const auto same = Result::kPromoted;
  const auto logic = Result::kBool;
  const ElementFn add = [](const Element& e) {
    return e.dtype == DType::kBool ? Real(e.x[0] + e.x[1] != 0) : e.x[0] + e.x[1];
  };
  const ElementFn mul = [](const Element& e) {
    return IsFloating(e.dtype) ? e.x[0] * e.x[1] : WrappedProduct(e.x[0], e.x[1]);
  };
  const ElementFn floor_div = [](const Element& e) {
    if (!IsFloating(e.dtype)) return FloorDivInteger(e.x[0], e.x[1]);
    if (e.x[1] == 0) return e.x[0] / e.x[1];
    return std::floor((e.x[0] - Mod(e)) / e.x[1] + 0.5L);
  };
  const Fill base = Uniform(0.6L, 5), exponent = Uniform(-4, 4);
  return {
      {.op = "add", .result = same, .fn = add, .takes_bool = true},
      {.op = "sub", .result = same, .fn = [](const Element& e) { return e.x[0] - e.x[1]; }},
      {.op = "mul", .result = same, .fn = mul, .takes_bool = true},
      {.op = "div",
       .result = Result::kFloat,
       .fn = [](const Element& e) { return e.x[0] / e.x[1]; },
       .takes_bool = true,
       .integer_specials = false},
      {.op = "floor_div", .result = same, .fn = floor_div, .float_specials = false},
      // Divisors that divide no small integer, for it jumps there; as integers, 0 is among them.
      {.op = "mod",
       .result = same,
       .fn = Mod,
       .b = Values({-7.31L, -2.13L, 1.73L, 4.91L, 0.83L, -0.97L, 8.41L})},
      // f32 is calculated in f64; f64 multiplies by one term after an exp within 4 ulp.
      {.op = "pow",
       .result = same,
       .fn = Pow,
       .error = {.ulps = 5},
       .a = base,
       .b = exponent,
       .integer_specials = false},
      {.op = "minimum",
       .result = same,
       .fn = [](const Element& e) { return Extremum(e, false); },
       .takes_bool = true},
      {.op = "maximum",
       .result = same,
       .fn = [](const Element& e) { return Extremum(e, true); },
       .takes_bool = true},
      {.op = "equal",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] == e.x[1]); },
       .takes_bool = true},
      {.op = "not_equal",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] != e.x[1]); },
       .takes_bool = true},
      {.op = "less",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] < e.x[1]); },
       .takes_bool = true},
      {.op = "less_equal",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] <= e.x[1]); },
       .takes_bool = true},
      {.op = "greater",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] > e.x[1]); },
       .takes_bool = true},
      {.op = "greater_equal",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] >= e.x[1]); },
       .takes_bool = true},
      {.op = "logical_and",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] != 0 && e.x[1] != 0); },
       .takes_bool = true},
      {.op = "logical_or",
       .result = logic,
       .fn = [](const Element& e) { return Real(e.x[0] != 0 || e.x[1] != 0); },
       .takes_bool = true},
      {.op = "logical_xor",
       .result = logic,
       .fn = [](const Element& e) { return Real((e.x[0] != 0) != (e.x[1] != 0)); },
       .takes_bool = true},
  };
}

Fill ForDType(Fill fill, DType dtype) {
  if (dtype == DType::kU8) fill.low = std::max<Real>(fill.low, 0);
  return dtype == DType::kBool ? Specials(dtype) : fill;
}

struct ShapePair {
  Shape a, b;
};

void AddBinary(CaseList* cases, const Binary& binary) {
  const Reference reference = Elementwise(binary.result, binary.fn, binary.error);
  const auto add = [&](InputDef a, InputDef b) {
    cases->push_back(
        {.op = binary.op, .inputs = {std::move(a), std::move(b)}, .reference = reference});
  };
  const std::vector<ShapePair> shapes = {
      {{65}, {65}},        {{}, {}},      {{7, 1}, {1, 63}}, {{0, 3}, {3}},
      {{2, 3, 5}, {3, 1}}, {{}, {4, 16}}, {{33, 64}, {64}}};
  for (DType dtype : kAllTypes) {
    if (dtype == DType::kBool && !binary.takes_bool) continue;
    const Fill a = ForDType(binary.a, dtype), b = ForDType(binary.b, dtype);
    for (const ShapePair& pair : shapes) add(Input(dtype, pair.a, a), Input(dtype, pair.b, b));
    if (IsFloating(dtype) ? binary.float_specials : binary.integer_specials) {
      // Every pair of them.
      const Fill specials = Specials(dtype);
      const int64_t n = static_cast<int64_t>(specials.values.size());
      add(Input(dtype, {n, 1}, specials), Input(dtype, {n}, specials));
    }
    if (dtype != DType::kF32 && dtype != DType::kI16) continue;
    for (Layout layout : kStridedLayouts) {
      add(Input(dtype, {3, 21, 2}, a, layout), Input(dtype, {3, 21, 2}, b));
      add(Input(dtype, {21, 2}, a), Input(dtype, {3, 21, 2}, b, layout));
    }
  }
  const std::pair<DType, DType> mixed[] = {
      {DType::kI8, DType::kU8},    {DType::kI32, DType::kF16}, {DType::kF16, DType::kBF16},
      {DType::kU8, DType::kI64},   {DType::kF32, DType::kF64}, {DType::kBool, DType::kI8},
      {DType::kF32, DType::kBool}, {DType::kI64, DType::kF64}, {DType::kI16, DType::kI32}};
  for (const auto& [x, y] : mixed) {
    add(Input(x, {5, 13}, ForDType(binary.a, x)), Input(y, {13}, ForDType(binary.b, y)));
  }
}

void AddWhere(CaseList* cases) {
  const Reference reference = Elementwise(
      Result::kPromoted, [](const Element& e) { return e.x[0] != 0 ? e.x[1] : e.x[2]; }, {}, 1);
  for (DType dtype : kAllTypes) {
    for (DType condition : {DType::kBool, DType::kF32, DType::kI8}) {
      cases->push_back({.op = "where",
                        .inputs = {Input(condition, {7, 1}, Specials(condition)),
                                   Input(dtype, {7, 9}, Specials(dtype)),
                                   Input(dtype, {9}, ForDType(Uniform(-9, 9), dtype))},
                        .reference = reference,
                        .gradient = false});
    }
  }
  for (Layout layout : kStridedLayouts) {
    cases->push_back(
        {.op = "where",
         .inputs = {Input(DType::kBool, {65, 3}, Specials(DType::kBool)),
                    Input(DType::kF32, {65, 3}, {}, layout), Input(DType::kF32, {65, 3})},
         .reference = reference});
  }
  cases->push_back({.op = "where",
                    .inputs = {Input(DType::kBool, {5, 1}, Specials(DType::kBool)),
                               Input(DType::kF64, {5, 4}), Input(DType::kF64, {4})},
                    .reference = reference});
  cases->push_back({.op = "where",
                    .inputs = {Input(DType::kBool, {13}, Specials(DType::kBool)),
                               Input(DType::kI32, {}), Input(DType::kF16, {13})},
                    .reference = reference});
}

}  // namespace

void AddBinaryCases(CaseList* cases, BadCaseList* bad) {
  for (const Binary& binary : Table()) {
    AddBinary(cases, binary);
    bad->push_back({binary.op, {{DType::kF32, {2, 3}}, {DType::kF32, {4, 5}}}, {}, {}});
    bad->push_back(
        {binary.op, {{DType::kI32, {int64_t{1} << 40, 1}}, {DType::kF16, {1, int64_t{1} << 40}}}});
    bad->push_back({binary.op, {{DType::kF32, {2}}}, {}, {"takes 2 inputs, 1 given"}, false});
    if (!binary.takes_bool) {
      bad->push_back({binary.op, {{DType::kBool, {3}}, {DType::kBool, {1}}}, {}, {"bool"}});
    }
  }
  AddWhere(cases);
  bad->push_back({"where", {{DType::kBool, {2}}, {DType::kF32, {3}}, {DType::kF32, {3}}}, {}, {}});
}

}  // namespace tandem::conformance
