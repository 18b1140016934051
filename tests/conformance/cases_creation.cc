// Ops without inputs.

#include <algorithm>
#include <cmath>
#include <limits>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

// f64 as cast converts it.
Real Converted(Real value, DType dtype) {
  if (IsFloating(dtype)) return value;
  if (dtype == DType::kBool) return value != 0;
  if (std::isnan(value)) return 0;
  const Real limit = std::ldexp(Real{1}, dtype == DType::kI64 ? 63 : 31);
  return RoundTo(std::clamp(std::trunc(value), -limit, limit - 1), dtype);
}

std::vector<RefTensor> FullReference(const RefCall& call) {
  const DType dtype = call.attrs.Type("dtype");
  const Ints& dims = call.attrs.Ints("shape");
  return {RefTensor::Of(dtype, Shape(absl::MakeConstSpan(dims)),
                        Converted(call.attrs.Double("value"), dtype))};
}

std::vector<RefTensor> ArangeReference(const RefCall& call) {
  const DType dtype = call.attrs.Type("dtype");
  RefTensor y = RefTensor::Of(dtype, {call.attrs.Int("count")});
  for (int64_t i = 0; i < y.size(); ++i) {
    // Calculated in f64: the product is rounded, then the sum.
    const double product = static_cast<double>(i) * call.attrs.Double("step");
    y.values[i] = Converted(call.attrs.Double("start") + product, dtype);
  }
  return {y};
}

}  // namespace

void AddCreationCases(CaseList* cases, BadCaseList* bad) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (DType dtype : kAllTypes) {
    for (double value : {0.0, 1.0, -2.5, 3.0, 100.0}) {
      for (const Ints& shape : {Ints{}, Ints{0, 2}, Ints{65}, Ints{7, 63, 3}}) {
        cases->push_back({.op = "full",
                          .attrs = {{"shape", shape}, {"value", value}, {"dtype", dtype}},
                          .reference = FullReference});
      }
    }
    if (IsFloating(dtype)) {
      for (double value : {infinity, -infinity, std::nan(""), 1e300}) {
        cases->push_back({.op = "full",
                          .attrs = {{"shape", Ints{9}}, {"value", value}, {"dtype", dtype}},
                          .reference = FullReference});
      }
    }
    if (dtype == DType::kBool) continue;
    for (int64_t count : {0, 1, 7, 64, 1037}) {
      for (double step : {1.0, 0.1}) {
        cases->push_back(
            {.op = "arange",
             .attrs = {{"start", 2.5}, {"step", step}, {"count", count}, {"dtype", dtype}},
             .reference = ArangeReference});
      }
    }
    cases->push_back({.op = "arange",
                      .attrs = {{"start", 5.0}, {"step", -1.0}, {"count", 6}, {"dtype", dtype}},
                      .reference = ArangeReference});
  }
  const int64_t huge = int64_t{1} << 40;
  bad->push_back({"full", {}, {{"shape", Ints{-1}}, {"value", 0.0}}, {"-1"}, false});
  bad->push_back({"full", {}, {{"shape", Ints{huge, huge}}, {"value", 0.0}}, {}, false});
  bad->push_back({"full", {}, {{"shape", Ints(9, 1)}, {"value", 0.0}}, {}, false});
  bad->push_back({"full", {}, {{"value", 0.0}}, {"shape"}, false});
  bad->push_back({"arange", {}, {{"count", -1}}, {"count"}, false});
  bad->push_back({"arange", {}, {{"count", 3}, {"step", infinity}}, {"finite"}, false});
  bad->push_back({"arange", {}, {{"count", 3}, {"dtype", DType::kBool}}, {"bool"}, false});
}

}  // namespace tandem::conformance
