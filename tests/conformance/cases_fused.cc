// The op fused: chains of elementwise ops, products with their epilogues, and bodies that no kernel
// takes as they are.

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>

#include "absl/types/span.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/op/op_def.h"
#include "tandem/tests/conformance/case.h"
#include "tandem/tests/conformance/elementwise_reference.h"

namespace tandem::conformance {
namespace {

struct Step {
  std::string op;
  std::vector<int32_t> inputs;
  std::vector<AttributeInit> attrs = {};
};

// A body of `steps`; the standard ops are registered by the time cases are listed.
Ref<const OpBody> Body(std::vector<TensorSpec> inputs, const std::vector<Step>& steps,
                       std::vector<int32_t> outputs = {}) {
  OpBody::Builder builder(std::move(inputs));
  for (const Step& step : steps) {
    const OpDef& op = **OpRegistry::Global().Get(step.op);
    builder.Add(op, AttributeMap::Create(op.attributes, step.attrs).value(), step.inputs).value();
  }
  if (outputs.empty()) outputs.push_back(builder.num_values() - 1);
  return builder.Finish(std::move(outputs)).value();
}

std::vector<TensorSpec> SpecsOf(const std::vector<InputDef>& inputs) {
  std::vector<TensorSpec> specs;
  for (const InputDef& input : inputs) specs.push_back({input.dtype, input.shape});
  return specs;
}

// As `c.attrs`, for the inputs of the case.
Case Fused(std::vector<InputDef> inputs, const std::vector<Step>& steps, Reference reference,
           std::vector<int32_t> outputs = {}) {
  const Ref<const OpBody> body = Body(SpecsOf(inputs), steps, std::move(outputs));
  return {.op = "fused",
          .inputs = std::move(inputs),
          .attrs = {{"body", body}},
          .reference = std::move(reference)};
}

const std::vector<Step> kBiasRelu = {{"add", {0, 1}}, {"relu", {2}}};

// max(x + b, 0): the sum is stored before it is read again.
Reference BiasReluReference() {
  return Elementwise(Result::kPromoted, [](const Element& e) {
    return std::max<Real>(RoundTo(e.x[0] + e.x[1], e.dtype), 0);
  });
}

// relu(a b + bias), all of one dtype, [m,k] by [k,n].
std::vector<RefTensor> DenseReference(const RefCall& call) {
  const RefTensor &a = call.in(0), &b = call.in(1), &bias = call.in(2);
  const int64_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
  const bool floating = IsFloating(a.dtype);
  RefTensor y = RefTensor::Of(a.dtype, {m, n});
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      Real sum = 0, magnitude = 0;
      for (int64_t p = 0; p < k; ++p) {
        const Real term = a.values[i * k + p] * b.values[p * n + j];
        sum += term;
        magnitude += std::abs(term);
      }
      const Real product = floating ? sum : RoundTo(sum, a.dtype);
      const Real biased = product + bias.values[j];
      y.values[i * n + j] = std::max<Real>(floating ? biased : RoundTo(biased, a.dtype), 0);
      if (!floating) continue;
      // The errors of the sum, of its store as `dtype`, of the addition and of its store.
      const Real storage = a.dtype == DType::kF16 ? 0x1p13L : a.dtype == DType::kBF16 ? 0x1p16L : 1;
      y.SetError(i * n + j, SumError(k, magnitude) +
                                storage * (std::abs(sum) + std::abs(biased)) * (1 + 0x1p-7L) + 1);
    }
  }
  return {y};
}

// sum(x x), exp(x)
std::vector<RefTensor> TwoOutputsReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  RefTensor total = RefTensor::Of(x.dtype, {}), y = RefTensor::Like(x, x.dtype);
  y.ulps = 4;
  for (int64_t i = 0; i < x.size(); ++i) {
    total.values[0] += x.values[i] * x.values[i];
    y.values[i] = std::exp(x.values[i]);
  }
  // Each square is rounded before it is added.
  total.SetError(0, SumError(x.size(), total.values[0]) + total.values[0]);
  return {total, y};
}

// tanh(x y + x)
Reference TanhReference() {
  return Elementwise(Result::kPromoted,
                     [](const Element& e) { return std::tanh(e.x[0] * e.x[1] + e.x[0]); },
                     {.ulps = 4, .absolute = [](const Element& e, Real) {
                        return std::abs(e.x[0] * e.x[1]) + std::abs(e.x[0] * e.x[1] + e.x[0]);
                      }});
}

}  // namespace

void AddFusedCases(CaseList* cases, BadCaseList* bad) {
  for (DType dtype : kNumberTypes) {
    const Fill fill = dtype == DType::kU8 ? Uniform(0, 200) : Uniform(-4, 4);
    for (const auto& [x, b] : {std::pair<Shape, Shape>{{7, 65}, {65}},
                               {{7, 65}, {7, 1}},
                               {{3, 1, 64}, {5, 1}},
                               {{1}, {}},
                               {{0, 3}, {3}}}) {
      cases->push_back(
          Fused({Input(dtype, x, fill), Input(dtype, b, fill)}, kBiasRelu, BiasReluReference()));
    }
    // Around the sizes of dot products, tiles and panels.
    for (const auto& [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{1, 33, 65},
                                  {7, 1, 5},
                                  {17, 63, 31},
                                  {65, 129, 300},
                                  {2, 3, 0}}) {
      cases->push_back(
          Fused({Input(dtype, {m, k}, fill), Input(dtype, {k, n}, fill), Input(dtype, {n}, fill)},
                {{"matmul", {0, 1}}, {"add", {3, 2}}, {"relu", {4}}}, DenseReference));
    }
  }
  for (Layout layout : kStridedLayouts) {
    cases->push_back(Fused({Input(DType::kF32, {6, 9}, {}, layout), Input(DType::kF32, {9})},
                           kBiasRelu, BiasReluReference()));
    cases->push_back(Fused({Input(DType::kF32, {6, 9}, {}, layout),
                            Input(DType::kF32, {9, 20}, {}, layout), Input(DType::kF32, {20})},
                           {{"matmul", {0, 1}}, {"add", {3, 2}}, {"relu", {4}}}, DenseReference));
  }
  for (DType dtype : {DType::kF32, DType::kF64}) {
    const std::vector<InputDef> inputs = {Input(dtype, {5, 33}), Input(dtype, {33})};
    const std::vector<Step> steps = {{"mul", {0, 1}}, {"add", {2, 0}}, {"tanh", {3}}};
    cases->push_back(Fused(inputs, steps, TanhReference()));
    // The same in a body in a body, which no kernel sees as two.
    cases->push_back(Fused(inputs, {{"fused", {0, 1}, {{"body", Body(SpecsOf(inputs), steps)}}}},
                           TanhReference()));
    // Not one program: it runs step by step.
    cases->push_back(Fused({Input(dtype, {7})}, {{"mul", {0, 0}}, {"sum", {1}}, {"exp", {0}}},
                           TwoOutputsReference, {2, 3}));
  }
  // Made for other shapes and dtypes than it gets.
  Case other =
      Fused({Input(DType::kF32, {2, 2}), Input(DType::kF32, {2})}, kBiasRelu, BiasReluReference());
  other.inputs = {Input(DType::kF64, {4, 3}), Input(DType::kF64, {1})};
  cases->push_back(std::move(other));

  const Ref<const OpBody> body = Body({{DType::kF32, {2, 3}}, {DType::kF32, {3}}}, kBiasRelu);
  bad->push_back({"fused", {{DType::kF32, {2, 3}}, {DType::kF32, {4}}}, {{"body", body}}, {"add"}});
  bad->push_back({"fused", {{DType::kF32, {2, 3}}}, {{"body", body}}, {"takes 2 inputs"}});
  bad->push_back({"fused", {{DType::kF32, {2, 3}}}, {}, {"body"}, false});
  bad->push_back({"fused", {{DType::kF32, {2, 3}}}, {{"body", 1}}, {"body"}, false});
}

}  // namespace tandem::conformance
