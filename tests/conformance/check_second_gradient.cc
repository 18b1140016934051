// Gradients of gradients against central differences along one random direction.
//
// With g = dL/dx for L = Σ r·y, and S = Σ s·g for fixed random r and s: the tape gives dS/dx·d, and
// (S(x + h·d) - S(x - h·d)) / 2h differs from it by a term that D(2h) - D(h) estimates, and by the
// errors of g divided by h. Those are taken as 256 u of Σ|s·g|, since a gradient is a chain of a few
// ops, and 16 u of Σ|s·r|, since some of them cancel: 1 - y² of a y near 1.

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "gtest/gtest.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_def.h"
#include "tandem/tests/conformance/checks.h"
#include "tandem/tests/conformance/options.h"
#include "tandem/tests/conformance/report.h"

namespace tandem::conformance {
namespace {

constexpr Real kStep = 6.055454452393343e-06L;
constexpr char kCheck[] = "second gradient";

class SecondGradientCheck {
 public:
  explicit SecondGradientCheck(const Case& c) : c_(c), random_(Options().seed) {}

  void Run() {
    const auto prepared = Prepare(c_);
    ASSERT_TRUE(prepared.ok()) << c_.ToString() << ": " << prepared.status();
    values_ = prepared->values;
    for (const RefTensor& x : values_) {
      const bool moves = IsFloating(x.dtype) && Chosen(c_.gradient_inputs, directions_.size());
      directions_.push_back(Random(x.size(), moves ? 1 : 0));
      seeds_.push_back(Random(x.size(), moves ? 1 : 0));
    }
    const auto exact = Evaluate(0, /*differentiate=*/true);
    if (CountUnsupported(exact.status(), kCheck, c_)) return;
    ASSERT_TRUE(exact.ok()) << c_.ToString() << ": " << exact.status();
    Real slope[2];
    for (int i = 0; i < 2; ++i) {
      const Real h = kStep * (i + 1);
      const auto above = Evaluate(h, false), below = Evaluate(-h, false);
      ASSERT_TRUE(above.ok()) << c_.ToString() << ": " << above.status();
      ASSERT_TRUE(below.ok()) << c_.ToString() << ": " << below.status();
      slope[i] = (above->sum - below->sum) / (2 * h);
    }
    Report::Global().Ran(kCheck);
    Real cancelled = 0;  // |r| < 1
    for (const std::vector<Real>& s : seeds_) {
      for (Real value : s) cancelled += std::abs(value);
    }
    const Real noise =
        UnitRoundoff(DType::kF64) * (256 * exact->magnitude + 16 * cancelled) / kStep;
    const Real tolerance = std::abs(slope[1] - slope[0]) + noise;
    if (tolerance > 1e-2L * (exact->slope_magnitude + exact->magnitude) + 1e-6L) {
      Report::Global().Skipped(kCheck, c_.op + ": too steep to be measured");
      return;
    }
    EXPECT_LE(std::abs(exact->slope - slope[0]), tolerance)
        << c_.ToString() << ": second derivative is " << static_cast<double>(exact->slope)
        << ", differences give " << static_cast<double>(slope[0]);
  }

 private:
  struct Result {
    Real sum = 0, magnitude = 0;          // Σ s·g and Σ |s·g|
    Real slope = 0, slope_magnitude = 0;  // dS/dx·d
  };

  static bool Chosen(const std::vector<int>& chosen, size_t i) {
    return chosen.empty() ||
           std::find(chosen.begin(), chosen.end(), static_cast<int>(i)) != chosen.end();
  }
  std::vector<Real> Random(int64_t size, double scale) {
    std::uniform_real_distribution<double> uniform(-1, 1);
    std::vector<Real> values(size);
    for (Real& value : values) value = scale * uniform(random_);
    return values;
  }
  static absl::StatusOr<Tensor> Make(const TensorSpec& spec, const std::vector<Real>& values) {
    RefTensor t = RefTensor::Of(spec.dtype, spec.shape);
    t.values = values;
    return MakeTensor(t, Layout::kContiguous, *Options().device);
  }

  // S at x + step·d, and its slope.
  absl::StatusOr<Result> Evaluate(Real step, bool differentiate) {
    std::vector<Tensor> leaves, moved;
    std::vector<size_t> which;
    for (size_t i = 0; i < values_.size(); ++i) {
      std::vector<Real> x = values_[i].values;
      for (size_t e = 0; e < x.size(); ++e) x[e] += step * directions_[i][e];
      TANDEM_ASSIGN_OR_RETURN(Tensor leaf, Make(values_[i].spec(), x));
      if (IsFloating(leaf.dtype()) && Chosen(c_.gradient_inputs, i)) {
        TANDEM_RETURN_IF_ERROR(AttachGrad(leaf));
        moved.push_back(leaf);
        which.push_back(i);
      }
      leaves.push_back(std::move(leaf));
    }
    Result result;
    std::vector<Tensor> heads, head_grads;
    RecordScope record;
    TANDEM_ASSIGN_OR_RETURN(const TensorList outputs, RunOp(c_, leaves));
    for (size_t o = 0; o < outputs.size(); ++o) {
      if (!IsFloating(outputs[o].dtype()) || !Chosen(c_.gradient_outputs, o)) continue;
      if (weights_.size() <= o) weights_.resize(o + 1);
      if (weights_[o].empty()) weights_[o] = Random(outputs[o].num_elements(), 1);
      TANDEM_ASSIGN_OR_RETURN(Tensor w, Make(outputs[o].spec(), weights_[o]));
      heads.push_back(outputs[o]);
      head_grads.push_back(std::move(w));
    }
    BackwardOptions options;
    options.create_graph = differentiate;
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> grads,
                            Grad(heads, head_grads, moved, options));
    std::vector<Tensor> seconds, seeds;
    for (size_t i = 0; i < grads.size(); ++i) {
      if (!grads[i].defined()) continue;
      TANDEM_ASSIGN_OR_RETURN(const std::vector<Real> g, ReadValues(grads[i]));
      for (size_t e = 0; e < g.size(); ++e) {
        result.sum += seeds_[which[i]][e] * g[e];
        result.magnitude += std::abs(seeds_[which[i]][e] * g[e]);
      }
      if (!differentiate || !RequiresGrad(grads[i])) continue;
      TANDEM_ASSIGN_OR_RETURN(Tensor seed, Make(grads[i].spec(), seeds_[which[i]]));
      seconds.push_back(grads[i]);
      seeds.push_back(std::move(seed));
    }
    if (seconds.empty()) return result;  // linear: the slope is 0
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> slopes, Grad(seconds, seeds, moved));
    for (size_t i = 0; i < slopes.size(); ++i) {
      if (!slopes[i].defined()) continue;
      TANDEM_ASSIGN_OR_RETURN(const std::vector<Real> h, ReadValues(slopes[i]));
      for (size_t e = 0; e < h.size(); ++e) {
        result.slope += directions_[which[i]][e] * h[e];
        result.slope_magnitude += std::abs(directions_[which[i]][e] * h[e]);
      }
    }
    return result;
  }

  const Case& c_;
  std::mt19937_64 random_;
  std::vector<RefTensor> values_;
  std::vector<std::vector<Real>> directions_, seeds_, weights_;
};

}  // namespace

void CheckSecondGradient(const Case& c) {
  if (CanDifferentiate(c)) SecondGradientCheck(c).Run();
}

}  // namespace tandem::conformance
