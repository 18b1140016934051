// Reductions over some axes or all.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "tandem/tests/conformance/case.h"
#include "tandem/tests/conformance/elementwise_reference.h"

namespace tandem::conformance {
namespace {

struct Reduced {
  std::vector<bool> axis;  // which axes are reduced
  Shape kept;              // with size 1
  Shape squeezed;          // without them
};

Reduced Reduce(const Shape& shape, const Ints& axes, bool keepdims) {
  Reduced r;
  r.axis.assign(shape.rank(), axes.empty());
  for (int64_t a : axes) r.axis[Axis(a, shape.rank())] = true;
  for (int i = 0; i < shape.rank(); ++i) {
    r.kept.push_back(r.axis[i] ? 1 : shape[i]);
    if (!r.axis[i] || keepdims) r.squeezed.push_back(r.axis[i] ? 1 : shape[i]);
  }
  return r;
}

// Calls fn(output, input) with positions, for every element of the input in row-major order.
void ForEach(const Shape& shape, const Reduced& reduced,
             const std::function<void(int64_t, int64_t)>& fn) {
  for (Index at(shape); at.valid(); at.Next()) {
    std::vector<int64_t> to = at.at();
    for (int i = 0; i < shape.rank(); ++i) to[i] = reduced.axis[i] ? 0 : to[i];
    fn(LinearIndex(reduced.kept, to), at.linear());
  }
}

DType ResultType(const std::string& op, DType dtype) {
  if (IsFloating(dtype) || op == "max" || op == "min") return dtype;
  return op == "mean" ? DType::kF32 : DType::kI64;
}

Reference ReductionReference(const std::string& op) {
  return [op](const RefCall& call) {
    const RefTensor& x = call.in(0);
    const Reduced reduced = Reduce(x.shape, call.attrs.Ints("axes"), call.attrs.Bool("keepdims"));
    RefTensor y = RefTensor::Of(ResultType(op, x.dtype), reduced.squeezed, op == "prod" ? 1 : 0);
    std::vector<Real> magnitude(y.size(), 0);
    std::vector<int64_t> count(y.size(), 0);
    ForEach(x.shape, reduced, [&](int64_t to, int64_t from) {
      Real& sum = y.values[to];
      const Real value = x.values[from];
      if (op == "prod") {
        sum = IsFloating(y.dtype) ? sum * value : WrappedProduct(sum, value);
      } else if (op == "sum" || op == "mean") {
        sum += value;
        if (op == "sum" && !IsFloating(y.dtype)) sum = RoundTo(sum, y.dtype);  // wraps
      } else if (count[to] == 0 || std::isnan(value) ||
                 (!std::isnan(sum) && (op == "max" ? value > sum : value < sum))) {
        sum = value;
      }
      magnitude[to] += std::abs(value);
      ++count[to];
    });
    for (int64_t i = 0; i < y.size(); ++i) {
      if (op == "mean") y.values[i] /= static_cast<Real>(count[i]);
      if (!IsFloating(y.dtype)) continue;
      if (op == "sum") y.SetError(i, SumError(count[i], magnitude[i]));
      if (op == "mean") {
        y.SetError(i, SumError(count[i], magnitude[i]) / std::max<int64_t>(count[i], 1) +
                          2 * std::abs(y.values[i]));
      }
      // One rounding for each factor.
      if (op == "prod") y.SetError(i, static_cast<Real>(count[i]) * std::abs(y.values[i]));
    }
    return std::vector<RefTensor>{y};
  };
}

Reference ArgReference(bool largest) {
  return [largest](const RefCall& call) {
    const RefTensor& x = call.in(0);
    const int axis = Axis(call.attrs.Int("axis"), x.shape.rank());
    const Reduced reduced = Reduce(x.shape, {axis}, call.attrs.Bool("keepdims"));
    RefTensor y = RefTensor::Of(DType::kI64, reduced.squeezed, -1);
    std::vector<Real> best(y.size(), 0);
    for (Index at(x.shape); at.valid(); at.Next()) {
      std::vector<int64_t> to = at.at();
      to[axis] = 0;
      const int64_t i = LinearIndex(reduced.kept, to);
      const Real value = x.values[at.linear()];
      const bool better = !std::isnan(best[i]) &&
                          (std::isnan(value) || (largest ? value > best[i] : value < best[i]));
      if (y.values[i] >= 0 && !better) continue;
      y.values[i] = static_cast<Real>(at[axis]);
      best[i] = value;
    }
    return std::vector<RefTensor>{y};
  };
}

struct Use {
  Shape shape;
  Ints axes;
  bool keepdims;
};

void AddReduction(CaseList* cases, const std::string& op) {
  const Reference reference = ReductionReference(op);
  const bool extremum = op == "max" || op == "min";
  const auto add = [&](InputDef input, const Ints& axes, bool keepdims) {
    cases->push_back({.op = op,
                      .inputs = {std::move(input)},
                      .attrs = {{"axes", axes}, {"keepdims", keepdims}},
                      .reference = reference});
  };
  const Use uses[] = {
      {{65}, {}, false},           {{}, {}, false},         {{7, 63}, {0}, false},
      {{7, 63}, {-1}, true},       {{3, 5, 4}, {1}, false}, {{3, 5, 4}, {0, 2}, true},
      {{2, 3, 4, 5}, {-2}, false}, {{1037}, {0}, true},     {{1, 64}, {0}, false},
      {{0, 3}, {1}, false},        {{9, 33}, {}, true}};
  for (DType dtype : kAllTypes) {
    // Products near 1 do not overflow.
    Fill fill = op == "prod" && IsFloating(dtype) ? Uniform(0.9L, 1.1L) : Uniform(-9, 9);
    if (dtype == DType::kU8) fill = Uniform(0, 9);
    if (dtype == DType::kBool) fill = Specials(dtype);
    for (const Use& use : uses) add(Input(dtype, use.shape, fill), use.axes, use.keepdims);
    if (!extremum) add(Input(dtype, {0, 3}, fill), {0}, false);
    // The sum of a mean must fit i64.
    if (extremum || (!IsFloating(dtype) && (op != "mean" || dtype != DType::kI64))) {
      add(Input(dtype, {5, 17}, Specials(dtype)), {1}, false);
      add(Input(dtype, {5, 17}, Specials(dtype)), {0}, true);
    }
    if (dtype != DType::kF32 && dtype != DType::kI16) continue;
    for (Layout layout : kStridedLayouts) {
      add(Input(dtype, {5, 7, 9}, fill, layout), {1}, false);
      add(Input(dtype, {5, 7, 9}, fill, layout), {-1}, true);
      add(Input(dtype, {5, 7, 9}, fill, layout), {}, false);
    }
  }
  const Real infinity = std::numeric_limits<Real>::infinity();
  for (DType dtype : kFloatTypes) {
    add(Input(dtype, {2, 2}, Values({infinity, 1, 1, std::nanl("")})), {1}, false);
    add(Input(dtype, {2, 2}, Values({infinity, -infinity, -infinity, -infinity})), {1}, false);
  }
  // Zeros: the gradient of a product is the product of the others.
  if (op == "prod")
    add(Input(DType::kF64, {3, 3}, Values({0, 2, 3, 0, 0, 5, 1, 2, 4})), {1}, false);
}

}  // namespace

void AddReductionCases(CaseList* cases, BadCaseList* bad) {
  const TensorSpec x{DType::kF32, {2, 3}};
  for (const char* op : {"sum", "mean", "prod", "max", "min"}) {
    AddReduction(cases, op);
    bad->push_back({op, {x}, {{"axes", Ints{2}}}, {"2"}});
    bad->push_back({op, {x}, {{"axes", Ints{0, -2}}}, {}});
    bad->push_back({op, {x}, {{"axis", 0}}, {"axis", "axes"}, false});
  }
  for (const char* op : {"max", "min"}) {
    bad->push_back({op, {{DType::kF32, {3, 0}}}, {{"axes", Ints{1}}}, {"size 0"}});
  }
  for (const char* op : {"argmax", "argmin"}) {
    const Reference reference = ArgReference(op == std::string("argmax"));
    for (DType dtype : kAllTypes) {
      for (const Fill& fill : {Specials(dtype), Values({1, 0, 1, 1, 0})}) {
        for (int64_t axis : {0, 1, -1}) {
          cases->push_back({.op = op,
                            .inputs = {Input(dtype, {7, 33, 5}, fill)},
                            .attrs = {{"axis", axis}, {"keepdims", axis == 1}},
                            .reference = reference});
        }
      }
      cases->push_back({.op = op, .inputs = {Input(dtype, {65})}, .reference = reference});
    }
    for (Layout layout : kStridedLayouts) {
      for (int64_t axis : {0, 1, 2}) {
        cases->push_back({.op = op,
                          .inputs = {Input(DType::kF32, {5, 7, 9}, {}, layout)},
                          .attrs = {{"axis", axis}},
                          .reference = reference});
      }
    }
    bad->push_back({op, {x}, {{"axis", 2}}, {"axis 2"}});
    bad->push_back({op, {{DType::kF32, {}}}, {}, {}});
    bad->push_back({op, {{DType::kF32, {3, 0}}}, {}, {"size 0"}});
  }
}

}  // namespace tandem::conformance
