// Batch and layer normalization.

#include <algorithm>
#include <cmath>
#include <utility>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

// Mean and variance of some elements, and how far calculated ones may be off (units of roundoff).
struct Moments {
  Real mean = 0, mean_error = 0;
  Real variance = 0, variance_error = 0;
};

Moments MomentsOf(const RefTensor& x, const std::vector<int64_t>& elements) {
  Moments m;
  const Real n = static_cast<Real>(elements.size());
  const int64_t terms = static_cast<int64_t>(elements.size());
  Real magnitude = 0;
  for (int64_t i : elements) m.mean += x.values[i], magnitude += std::abs(x.values[i]);
  m.mean /= n;
  m.mean_error = SumError(terms, magnitude) / n + std::abs(m.mean);
  Real squares = 0, slip = 0;
  for (int64_t i : elements) {
    const Real d = x.values[i] - m.mean;
    squares += d * d;
    // The difference is off by the mean's error and its own rounding.
    slip += 2 * std::abs(d) * (m.mean_error + std::abs(d)) + d * d;
  }
  m.variance = squares / n;
  m.variance_error = (SumError(terms, squares) + slip) / n + m.variance;
  return m;
}

struct Normalizer {
  Real rstd = 0, rstd_error = 0;
  Normalizer(const Moments& m, Real epsilon, DType compute) {
    // epsilon is a number of the compute type.
    const Real sum = m.variance + RoundTo(epsilon, compute);
    rstd = 1 / std::sqrt(sum);
    rstd_error = rstd * (m.variance_error / sum / 2 + 3);
  }
};

// (x - mean) * rstd * gamma + beta
void Store(RefTensor* y, int64_t i, Real x, const Moments& m, const Normalizer& n, Real gamma,
           Real beta) {
  const Real d = x - m.mean;
  y->values[i] = d * n.rstd * gamma + beta;
  const Real scaled = std::abs(d * n.rstd * gamma);
  y->SetError(i, std::abs(gamma) * (m.mean_error * n.rstd + std::abs(d) * n.rstd_error) +
                     3 * scaled + std::abs(y->values[i]));
}

DType Compute(DType dtype) { return dtype == DType::kF64 ? DType::kF64 : DType::kF32; }

std::vector<RefTensor> BatchNormReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  const DType stat = call.in(1).dtype;
  const int axis = Axis(call.attrs.Int("axis"), x.shape.rank());
  const Shape channels = {x.shape[axis]};
  RefTensor y = RefTensor::Like(x, x.dtype);
  RefTensor new_mean = RefTensor::Of(stat, channels), new_variance = new_mean;
  RefTensor mean = new_mean, rstd = new_mean;
  const Real momentum = call.attrs.Double("momentum");
  for (int64_t c = 0; c < channels[0]; ++c) {
    std::vector<int64_t> elements;
    for (Index at(x.shape); at.valid(); at.Next()) {
      if (at[axis] == c) elements.push_back(at.linear());
    }
    const Real old_mean = call.in(3).values[c], old_variance = call.in(4).values[c];
    Moments m;
    new_mean.values[c] = m.mean = old_mean;
    new_variance.values[c] = m.variance = old_variance;
    if (call.attrs.Bool("training")) {
      m = MomentsOf(x, elements);
      const Real count = static_cast<Real>(elements.size());
      const Real bessel = count / std::max(count - 1, Real{1});
      const auto blend = [&](RefTensor* t, Real old, Real now, Real error) {
        t->values[c] = momentum * old + (1 - momentum) * now;
        t->SetError(c, (1 - momentum) * error + 3 * (std::abs(old) + std::abs(now)));
      };
      blend(&new_mean, old_mean, m.mean, m.mean_error);
      blend(&new_variance, old_variance, m.variance * bessel,
            bessel * (m.variance_error + 2 * m.variance));
    }
    const Normalizer n(m, call.attrs.Double("epsilon"), Compute(x.dtype));
    mean.values[c] = m.mean;
    mean.SetError(c, m.mean_error);
    rstd.values[c] = n.rstd;
    rstd.SetError(c, n.rstd_error);
    for (int64_t i : elements) {
      Store(&y, i, x.values[i], m, n, call.in(1).values[c], call.in(2).values[c]);
    }
  }
  return {y, new_mean, new_variance, mean, rstd};
}

std::vector<RefTensor> LayerNormReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  const int axis = Axis(call.attrs.Int("axis"), x.shape.rank());
  Shape stats = x.shape;
  stats[axis] = 1;
  RefTensor y = RefTensor::Like(x, x.dtype);
  RefTensor mean = RefTensor::Of(call.in(1).dtype, stats), rstd = mean;
  for (Index at(stats); at.valid(); at.Next()) {
    std::vector<int64_t> elements, position = at.at();
    for (position[axis] = 0; position[axis] < x.shape[axis]; ++position[axis]) {
      elements.push_back(LinearIndex(x.shape, position));
    }
    const Moments m = MomentsOf(x, elements);
    const Normalizer n(m, call.attrs.Double("epsilon"), Compute(x.dtype));
    mean.values[at.linear()] = m.mean;
    mean.SetError(at.linear(), m.mean_error);
    rstd.values[at.linear()] = n.rstd;
    rstd.SetError(at.linear(), n.rstd_error);
    for (size_t i = 0; i < elements.size(); ++i) {
      Store(&y, elements[i], x.values[elements[i]], m, n, call.in(1).values[i],
            call.in(2).values[i]);
    }
  }
  return {y, mean, rstd};
}

}  // namespace

void AddNormalizationCases(CaseList* cases, BadCaseList* bad) {
  struct Use {
    Shape x;
    int64_t axis;
  };
  for (DType dtype : kFloatTypes) {
    const DType wide = Compute(dtype);
    for (DType param : {dtype, wide}) {
      for (const Use& use : {Use{{4, 3, 5, 5}, 1}, Use{{7, 65}, -1}, Use{{3, 4, 2}, 0},
                             Use{{2, 3, 63}, 1}, Use{{16, 1}, 1}}) {
        const Shape c = {use.x[Axis(use.axis, use.x.rank())]};
        for (bool training : {false, true}) {
          cases->push_back(
              {.op = "batch_norm",
               .inputs = {Input(dtype, use.x, Uniform(-1, 4)), Input(param, c), Input(param, c),
                          Input(param, c), Input(param, c, Uniform(0.5L, 2))},
               .attrs = {{"axis", use.axis},
                         {"epsilon", 1e-3},
                         {"momentum", 0.75},
                         {"training", training}},
               .reference = BatchNormReference,
               // Running statistics have no gradients; those of the batch do in training.
               .gradient_inputs = {0, 1, 2},
               .gradient_outputs = training ? std::vector<int>{0, 3, 4} : std::vector<int>{0}});
        }
        cases->push_back(
            {.op = "layer_norm",
             .inputs = {Input(dtype, use.x, Uniform(-1, 4)), Input(param, c), Input(param, c)},
             .attrs = {{"axis", use.axis}, {"epsilon", 1e-3}},
             .reference = LayerNormReference});
      }
      if (wide == dtype) break;  // both are the same
    }
    cases->push_back({.op = "batch_norm",  // a batch of one: its variance is 0
                      .inputs = {Input(dtype, {1, 7}), Input(dtype, {7}), Input(dtype, {7}),
                                 Input(dtype, {7}), Input(dtype, {7}, Uniform(0.5L, 2))},
                      .attrs = {{"training", true}},
                      .reference = BatchNormReference,
                      .gradient = false});
    cases->push_back({.op = "layer_norm",
                      .inputs = {Input(dtype, {0, 7}), Input(dtype, {7}), Input(dtype, {7})},
                      .reference = LayerNormReference});
  }
  for (Layout layout : kStridedLayouts) {
    const DType f32 = DType::kF32;
    cases->push_back(
        {.op = "batch_norm",
         .inputs = {Input(f32, {6, 5, 3}, Uniform(-1, 4), layout), Input(f32, {5}, {}, layout),
                    Input(f32, {5}), Input(f32, {5}), Input(f32, {5}, Uniform(0.5L, 2))},
         .attrs = {{"training", layout != Layout::kBroadcast}},
         .reference = BatchNormReference});
    cases->push_back({.op = "layer_norm",
                      .inputs = {Input(f32, {6, 5}, Uniform(-1, 4), layout),
                                 Input(f32, {5}, {}, layout), Input(f32, {5})},
                      .reference = LayerNormReference});
  }
  const TensorSpec x{DType::kF32, {2, 3, 4}}, c{DType::kF32, {3}}, wrong{DType::kF32, {4}};
  const auto refuse = [&](std::vector<TensorSpec> inputs, std::vector<AttributeInit> attrs,
                          std::vector<std::string> mentions) {
    bad->push_back({"batch_norm", std::move(inputs), std::move(attrs), std::move(mentions)});
  };
  refuse({x, wrong, c, c, c}, {}, {"axis 1"});
  refuse({x, c, c, c, wrong}, {}, {"axis 1"});
  refuse({x, c, c, c, c}, {{"axis", 3}}, {"axis 3"});
  refuse({x, c, c, c, c}, {{"epsilon", -1.0}}, {"epsilon"});
  refuse({x, c, c, c, c}, {{"momentum", 2.0}}, {"momentum"});
  refuse({{DType::kI32, {2, 3}}, c, c, c, c}, {}, {"floating"});
  refuse({{DType::kF32, {0, 3}}, c, c, c, c}, {{"training", true}}, {"empty"});
  bad->push_back({"layer_norm", {x, c, c}, {}, {}});
  bad->push_back({"layer_norm", {x, wrong, wrong}, {{"axis", 5}}, {"axis 5"}});
  bad->push_back({"layer_norm",
                  {{DType::kF32, {3, 0}}, {DType::kF32, {0}}, {DType::kF32, {0}}},
                  {},
                  {"empty"}});
}

}  // namespace tandem::conformance
