// softmax, log_softmax and cross_entropy.

#include <algorithm>
#include <cmath>
#include <limits>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

// One line of a tensor along an axis: its positions.
std::vector<std::vector<int64_t>> Lines(const Shape& shape, int axis) {
  std::vector<std::vector<int64_t>> lines;
  for (Index at(shape); at.valid(); at.Next()) {
    if (at[axis] != 0) continue;
    std::vector<int64_t> line, position = at.at();
    for (position[axis] = 0; position[axis] < shape[axis]; ++position[axis]) {
      line.push_back(LinearIndex(shape, position));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

struct LineStats {
  Real max = -std::numeric_limits<Real>::infinity();
  Real sum = 0;        // of exp(x - max)
  Real sum_error = 0;  // relative, in units of roundoff
};

// exp within 4 ulp (8 u), of an argument x - max that was rounded (|x - max| u), summed.
LineStats Stats(const RefTensor& x, const std::vector<int64_t>& line) {
  LineStats s;
  for (int64_t i : line)
    s.max = std::isnan(x.values[i]) ? x.values[i] : std::max(s.max, x.values[i]);
  Real error = 0;
  for (int64_t i : line) {
    const Real d = x.values[i] - s.max;
    s.sum += std::exp(d);
    if (std::isfinite(d)) error += (8 + std::abs(d)) * std::exp(d);
  }
  error += SumError(static_cast<int64_t>(line.size()), s.sum);
  s.sum_error = error / s.sum;
  return s;
}

// exp within 4 ulp and one more rounding, where an ulp is as small as it can be.
Real Tiny(DType dtype) { return 5 * ComputeUlp(0, dtype) / UnitRoundoff(dtype); }

std::vector<RefTensor> SoftmaxReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  RefTensor y = RefTensor::Like(x, x.dtype);
  for (const auto& line : Lines(x.shape, Axis(call.attrs.Int("axis"), x.shape.rank()))) {
    const LineStats s = Stats(x, line);
    for (int64_t i : line) {
      const Real d = x.values[i] - s.max;
      y.values[i] = std::exp(d) / s.sum;
      const Real argument = std::isfinite(d) ? std::abs(d) : 0;
      y.SetError(i, y.values[i] * (8 + argument + s.sum_error + 2) + Tiny(x.dtype));
    }
  }
  return {y};
}

// The error of log_softmax at a distance d from the maximum.
Real LogError(Real d, Real log_sum, const LineStats& s) {
  if (!std::isfinite(d)) return 0;
  return std::abs(d) + s.sum_error + 8 * std::abs(log_sum) + 2 * std::abs(d - log_sum);
}

std::vector<RefTensor> LogSoftmaxReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  RefTensor y = RefTensor::Like(x, x.dtype);
  for (const auto& line : Lines(x.shape, Axis(call.attrs.Int("axis"), x.shape.rank()))) {
    const LineStats s = Stats(x, line);
    const Real log_sum = std::log(s.sum);
    for (int64_t i : line) {
      y.values[i] = x.values[i] - s.max - log_sum;
      y.SetError(i, LogError(x.values[i] - s.max, log_sum, s));
    }
  }
  return {y};
}

std::vector<RefTensor> CrossEntropyReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  RefTensor y = RefTensor::Of(x.dtype, call.in(1).shape);
  int64_t row = 0;
  for (const auto& line : Lines(x.shape, x.shape.rank() - 1)) {
    const Real label = call.in(1).values[row];
    if (label < 0 || label >= static_cast<Real>(line.size())) {
      y.values[row++] = std::numeric_limits<Real>::quiet_NaN();
      continue;
    }
    const LineStats s = Stats(x, line);
    const Real log_sum = std::log(s.sum);
    const Real d = x.values[line[static_cast<size_t>(label)]] - s.max;
    y.values[row] = log_sum - d;
    y.SetError(row++, LogError(d, log_sum, s));
  }
  return {y};
}

}  // namespace

void AddSoftmaxCases(CaseList* cases, BadCaseList* bad) {
  const Real infinity = std::numeric_limits<Real>::infinity();
  for (const char* op : {"softmax", "log_softmax"}) {
    const Reference reference =
        op == std::string("softmax") ? SoftmaxReference : LogSoftmaxReference;
    const auto add = [&](InputDef input, int64_t axis, bool gradient = true) {
      cases->push_back({.op = op,
                        .inputs = {std::move(input)},
                        .attrs = {{"axis", axis}},
                        .reference = reference,
                        .gradient = gradient});
    };
    for (DType dtype : kFloatTypes) {
      for (const Shape& shape : {Shape{1}, Shape{7}, Shape{65}, Shape{5, 10}, Shape{3, 1037},
                                 Shape{0, 3}, Shape{2, 1}}) {
        add(Input(dtype, shape, Uniform(-9, 9)), -1);
      }
      for (int64_t axis : {0, 1, 2}) add(Input(dtype, {4, 7, 33}, Uniform(-5, 5)), axis);
      // Differences do not see changes below the rounding of the largest element.
      add(Input(dtype, {3, 63}, Uniform(-1000, 1000)), 1, /*gradient=*/false);
      add(Input(dtype, {3, 4},
                Values({infinity, 1, 2, 3, -infinity, 0, 1, 2, std::nanl(""), 1, 2, 3})),
          1);
      add(Input(dtype, {2, 3}, Values({-infinity})), 1);
    }
    for (Layout layout : kStridedLayouts) {
      add(Input(DType::kF32, {5, 17}, Uniform(-5, 5), layout), 1);
      add(Input(DType::kF32, {5, 17, 3}, Uniform(-5, 5), layout), 0);
    }
    bad->push_back({op, {{DType::kI32, {2, 3}}}, {}, {"floating"}});
    bad->push_back({op, {{DType::kF32, {2, 3}}}, {{"axis", 2}}, {"axis 2"}});
    bad->push_back({op, {{DType::kF32, {}}}, {}, {}});
  }
  for (DType dtype : kFloatTypes) {
    for (DType labels : kIntegerTypes) {
      for (const Shape& rows : {Shape{}, Shape{7}, Shape{0}, Shape{3, 5}}) {
        Shape logits = rows;
        logits.push_back(10);
        cases->push_back(
            {.op = "cross_entropy",
             .inputs = {Input(dtype, logits, Uniform(-9, 9)), Input(labels, rows, Uniform(0, 9))},
             .reference = CrossEntropyReference});
      }
    }
    cases->push_back({.op = "cross_entropy",
                      .inputs = {Input(dtype, {4, 3}, Uniform(-2, 2)),
                                 Input(DType::kI64, {4}, Values({-1, 3, 1, 1000}))},
                      .reference = CrossEntropyReference,
                      .gradient = false});
    cases->push_back({.op = "cross_entropy",
                      .inputs = {Input(dtype, {2, 3}, Values({-infinity, 0, 1, 5, 2, 1})),
                                 Input(DType::kI64, {2}, Values({1, 2}))},
                      .reference = CrossEntropyReference,
                      .gradient = false});
  }
  for (Layout layout : kStridedLayouts) {
    cases->push_back({.op = "cross_entropy",
                      .inputs = {Input(DType::kF32, {16, 10}, Uniform(-5, 5), layout),
                                 Input(DType::kI32, {16}, Uniform(0, 9), layout)},
                      .reference = CrossEntropyReference});
  }
  bad->push_back({"cross_entropy", {{DType::kF32, {4, 3}}, {DType::kI64, {3}}}, {}, {"label"}});
  bad->push_back({"cross_entropy", {{DType::kF32, {4, 3}}, {DType::kF32, {4}}}, {}, {"integer"}});
  bad->push_back({"cross_entropy", {{DType::kI32, {4, 3}}, {DType::kI64, {4}}}, {}, {"floating"}});
  bad->push_back({"cross_entropy", {{DType::kF32, {4, 0}}, {DType::kI64, {4}}}, {}, {"class"}});
}

}  // namespace tandem::conformance
