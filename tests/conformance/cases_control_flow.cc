// The ops cond, scan and while_loop, with bodies whose results are rounded once: that their bodies run
// as they should is what is checked here, not what bodies compute.

#include <algorithm>
#include <utility>

#include "tandem/core/op/op_body.h"
#include "tandem/core/op/op_def.h"
#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

struct Step {
  std::string op;
  std::vector<int32_t> inputs;
  std::vector<AttributeInit> attrs = {};
};

// The standard ops are registered by the time cases are listed.
Ref<const OpBody> Body(std::vector<TensorSpec> inputs, const std::vector<Step>& steps,
                       std::vector<int32_t> outputs) {
  OpBody::Builder builder(std::move(inputs));
  for (const Step& step : steps) {
    const OpDef& op = **OpRegistry::Global().Get(step.op);
    builder.Add(op, AttributeMap::Create(op.attributes, step.attrs).value(), step.inputs).value();
  }
  return builder.Finish(std::move(outputs)).value();
}

// x w if the predicate holds, else x - w.
Case Cond(DType dtype, const InputDef& predicate, const Shape& x, const Shape& w, Layout layout) {
  const std::vector<TensorSpec> specs = {{dtype, x}, {dtype, w}};
  const bool holds = predicate.fill.values[0] != 0;
  return {.op = "cond",
          .inputs = {predicate, Input(dtype, x, {}, layout), Input(dtype, w)},
          .attrs = {{"then_body", Body(specs, {{"mul", {0, 1}}}, {2})},
                    {"else_body", Body(specs, {{"sub", {0, 1}}}, {2})}},
          .reference =
              [holds](const RefCall& call) {
                const RefTensor &x = call.in(1), &w = call.in(2);
                RefTensor y = RefTensor::Like(x, x.dtype);
                for (int64_t i = 0; i < x.size(); ++i) {
                  const Real b = w.values[i % w.size()];
                  y.values[i] = holds ? x.values[i] * b : x.values[i] - b;
                }
                return std::vector<RefTensor>{y};
              },
          .gradient_inputs = {1, 2}};
}

// The largest so far, and each of them times w. Along the first axis of x, or against it.
Case RunningMaximum(DType dtype, int64_t steps, int64_t size, bool reverse, Layout layout) {
  const TensorSpec row{dtype, {size}};
  const Ref<const OpBody> body =
      Body({row, row, row}, {{"maximum", {0, 1}}, {"mul", {3, 2}}}, {3, 4});
  return {.op = "scan",
          .inputs = {Input(dtype, {size}), Input(dtype, {steps, size}, {}, layout),
                     Input(dtype, {size})},
          .attrs = {{"body", body}, {"num_carry", 1}, {"num_scanned", 1}, {"reverse", reverse}},
          .reference = [steps, size, reverse](const RefCall& call) {
            RefTensor largest = call.in(0);
            RefTensor results = RefTensor::Like(call.in(1), call.in(1).dtype);
            for (int64_t step = 0; step < steps; ++step) {
              const int64_t t = reverse ? steps - 1 - step : step;
              for (int64_t i = 0; i < size; ++i) {
                Real& value = largest.values[i];
                value = std::max(value, call.in(1).values[t * size + i]);
                results.values[t * size + i] = value * call.in(2).values[i];
              }
            }
            return std::vector<RefTensor>{largest, results};
          }};
}

// Doubles x while its sum is less than the limit, at most five times.
Case Doubling(DType dtype, Real limit) {
  const TensorSpec x{dtype, {3}}, bound{dtype, {}};
  return {.op = "while_loop",
          .inputs = {Input(dtype, {3}, Values({1, 2, 3})), Input(dtype, {}, Values({limit}))},
          .attrs = {{"condition", Body({x, bound}, {{"sum", {0}}, {"less", {2, 1}}}, {3})},
                    {"body", Body({x, bound}, {{"add", {0, 0}}}, {2})},
                    {"max_iterations", 5},
                    {"keep_states", true}},
          .reference =
              [limit](const RefCall& call) {
                RefTensor x = call.in(0);
                RefTensor states = RefTensor::Of(x.dtype, {5, 3});
                RefTensor count = RefTensor::Of(DType::kI64, {});
                int64_t step = 0;
                for (; step < 5 && x.values[0] + x.values[1] + x.values[2] < limit; ++step) {
                  for (int64_t i = 0; i < 3; ++i) {
                    states.values[step * 3 + i] = x.values[i];
                    x.values[i] *= 2;
                  }
                }
                count.values[0] = static_cast<Real>(step);
                return std::vector<RefTensor>{x, states, count};
              },
          .gradient_inputs = {0},
          .gradient_outputs = {0}};
}

}  // namespace

void AddControlFlowCases(CaseList* cases, BadCaseList* bad) {
  for (const DType dtype : kFloatTypes) {
    for (const Real predicate : {0, 1}) {
      cases->push_back(Cond(dtype, Input(DType::kBool, {}, Values({predicate})), {7, 65}, {65},
                            Layout::kContiguous));
    }
    cases->push_back(
        Cond(dtype, Input(DType::kI32, {1, 1}, Values({-3})), {0, 3}, {3}, Layout::kContiguous));
    for (const int64_t steps : {0, 1, 7}) {
      cases->push_back(RunningMaximum(dtype, steps, 33, steps == 7, Layout::kContiguous));
    }
    for (const Real limit : {0, 20, 1000}) cases->push_back(Doubling(dtype, limit));
  }
  for (const Layout layout : kStridedLayouts) {
    cases->push_back(Cond(DType::kF64, Input(DType::kI32, {}, Values({1})), {6, 9}, {9}, layout));
    cases->push_back(RunningMaximum(DType::kF32, 6, 9, false, layout));
  }
  const TensorSpec f{DType::kF32, {2}};
  const Ref<const OpBody> same = Body({f}, {}, {0});
  const Ref<const OpBody> whole = Body({f}, {{"sum", {0}}}, {1});
  const Ref<const OpBody> integer = Body({f}, {{"cast", {0}, {{"dtype", DType::kI32}}}}, {1});
  bad->push_back({"cond", {f, f}, {{"then_body", same}, {"else_body", same}}, {"one element"}});
  bad->push_back({"cond",
                  {{DType::kBool, {}}, f},
                  {{"then_body", same}, {"else_body", whole}},
                  {"f32[2] from then_body", "f32[] from else_body"}});
  bad->push_back(
      {"scan", {f}, {{"body", integer}, {"num_carry", 1}, {"length", 3}}, {"i32[2]", "carry 0"}});
  bad->push_back({"scan",
                  {{DType::kF32, {3, 2}}, {DType::kF32, {4, 2}}},
                  {{"body", Body({f, f}, {}, {0})}, {"num_scanned", 2}},
                  {"4 steps", "not 3"}});
  bad->push_back({"scan", {f}, {{"body", same}, {"num_carry", 2}}, {"too few"}});
  bad->push_back({"scan", {f}, {{"body", same}, {"num_carry", 1}}, {"length"}});
  bad->push_back(
      {"while_loop", {f}, {{"condition", same}, {"body", same}}, {"exactly one element"}});
  bad->push_back({"while_loop", {f}, {{"condition", whole}, {"body", integer}}, {"state 0"}});
  bad->push_back({"while_loop",
                  {f},
                  {{"condition", whole}, {"body", same}, {"keep_states", true}},
                  {"max_iterations"}});
}

}  // namespace tandem::conformance
