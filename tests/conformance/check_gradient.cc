// Gradients against central differences.
//
// With L = Σ r·y for fixed random r, D(h) = (L(x + h) - L(x - h)) / 2h differs from dL/dx by
//   * h²·L'''/6, which D(2h) - D(h) = 3·(h²·L'''/6) estimates: taken whole, it is three times that, and
//   * the error of y, as the case's own error model bounds it, summed over the elements that moved,
//     divided by h.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_def.h"
#include "tandem/tests/conformance/checks.h"
#include "tandem/tests/conformance/options.h"
#include "tandem/tests/conformance/report.h"

namespace tandem::conformance {
namespace {

constexpr int kElements = 8;                    // of each input
constexpr Real kStep = 6.055454452393343e-06L;  // the cube root of 2^-52

class GradientCheck {
 public:
  explicit GradientCheck(const Case& c) : c_(c), random_(Options().seed) {}

  void Run() {
    auto prepared = Prepare(c_);
    ASSERT_TRUE(prepared.ok()) << c_.ToString() << ": " << prepared.status();
    inputs_ = std::move(prepared->inputs);
    values_ = std::move(prepared->values);
    auto reference = RunReference(c_, values_);
    ASSERT_TRUE(reference.ok()) << reference.status();
    reference_ = *std::move(reference);
    for (const RefTensor& y : reference_) {
      std::uniform_real_distribution<double> uniform(0.25, 1);
      std::vector<Real>& w = weights_.emplace_back(y.size());
      for (Real& r : w) r = random_() % 2 == 0 ? uniform(random_) : -uniform(random_);
    }
    std::vector<RefTensor> grads;
    const absl::Status status = Differentiate(&grads);
    if (CountUnsupported(status, "gradient", c_)) return;
    ASSERT_TRUE(status.ok()) << c_.ToString() << ": " << status;
    Report::Global().Ran("gradient");
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (Moves(i)) CheckInput(i, grads[i]);
    }
  }

 private:
  bool Moves(size_t input) const {
    if (!IsFloating(inputs_[input].dtype())) return false;
    const auto& chosen = c_.gradient_inputs;
    return chosen.empty() ||
           std::find(chosen.begin(), chosen.end(), static_cast<int>(input)) != chosen.end();
  }
  bool Looks(size_t output) const {
    if (!IsFloating(reference_[output].dtype)) return false;
    const auto& chosen = c_.gradient_outputs;
    return chosen.empty() ||
           std::find(chosen.begin(), chosen.end(), static_cast<int>(output)) != chosen.end();
  }

  // The tape's gradients; zeros where there is none.
  absl::Status Differentiate(std::vector<RefTensor>* grads) {
    std::vector<Tensor> leaves;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      leaves.push_back(Detach(inputs_[i]));
      if (Moves(i)) TANDEM_RETURN_IF_ERROR(AttachGrad(leaves.back()));
    }
    std::vector<Tensor> heads, head_grads;
    {
      RecordScope record;
      TANDEM_ASSIGN_OR_RETURN(const TensorList outputs, RunOp(c_, leaves));
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (!Looks(i)) continue;
        RefTensor weight = RefTensor::Like(reference_[i], reference_[i].dtype);
        weight.values = weights_[i];
        TANDEM_ASSIGN_OR_RETURN(Tensor w,
                                MakeTensor(weight, Layout::kContiguous, *Options().device));
        heads.push_back(outputs[i]);
        head_grads.push_back(std::move(w));
      }
    }
    TANDEM_RETURN_IF_ERROR(Backward(heads, head_grads));
    for (size_t i = 0; i < leaves.size(); ++i) {
      RefTensor grad = RefTensor::Like(values_[i], values_[i].dtype);
      const Tensor found = Moves(i) ? GradOf(leaves[i]) : Tensor();
      if (found.defined()) {
        if (found.spec() != grad.spec()) {
          return absl::InternalError(
              absl::StrCat("the gradient of input ", i, " has spec ", found.spec().ToString()));
        }
        TANDEM_ASSIGN_OR_RETURN(grad.values, ReadValues(found));
      }
      grads->push_back(std::move(grad));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::vector<Real>>> Evaluate(size_t input, int64_t element, Real to) {
    RefTensor moved = values_[input];
    moved.values[element] = to;
    std::vector<Tensor> inputs = inputs_;
    TANDEM_ASSIGN_OR_RETURN(inputs[input],
                            MakeTensor(moved, Layout::kContiguous, *Options().device));
    TANDEM_ASSIGN_OR_RETURN(const TensorList outputs, RunOp(c_, inputs));
    std::vector<std::vector<Real>> values;
    for (const Tensor& y : outputs) {
      TANDEM_ASSIGN_OR_RETURN(std::vector<Real> v, ReadValues(y));
      values.push_back(std::move(v));
    }
    return values;
  }

  struct Difference {
    Real slope = 0;
    Real size = 0;   // Σ |r · dy/dx|
    Real error = 0;  // what the errors of y make of it
  };
  absl::StatusOr<Difference> Central(size_t input, int64_t element, Real step) {
    const Real x = values_[input].values[element];
    // The points as f64 has them.
    const Real above = RoundTo(x + step, DType::kF64), below = RoundTo(x - step, DType::kF64);
    TANDEM_ASSIGN_OR_RETURN(const auto y1, Evaluate(input, element, above));
    TANDEM_ASSIGN_OR_RETURN(const auto y0, Evaluate(input, element, below));
    Difference d;
    for (size_t o = 0; o < y1.size(); ++o) {
      if (!Looks(o)) continue;
      const RefTensor& y = reference_[o];
      for (int64_t i = 0; i < y.size(); ++i) {
        if (y1[o][i] == y0[o][i]) continue;
        const Real change = weights_[o][i] * (y1[o][i] - y0[o][i]);
        d.slope += change;
        d.size += std::abs(change);
        const Real bound = (y.error.empty() ? 0 : y.error[i]) * UnitRoundoff(y.dtype) +
                           y.ulps * ComputeUlp(y.values[i], y.dtype);
        d.error += 2 * std::abs(weights_[o][i]) * bound;
      }
    }
    d.slope /= above - below;
    d.size /= above - below;
    d.error /= above - below;
    return d;
  }

  void CheckInput(size_t input, const RefTensor& grad) {
    std::vector<int64_t> elements(grad.size());
    std::iota(elements.begin(), elements.end(), 0);
    std::shuffle(elements.begin(), elements.end(), random_);
    if (elements.size() > kElements) elements.resize(kElements);
    for (int64_t e : elements) {
      const Real step = kStep * std::max(Real{1}, std::abs(values_[input].values[e]));
      const auto near = Central(input, e, step);
      const auto far = Central(input, e, 2 * step);
      ASSERT_TRUE(near.ok()) << c_.ToString() << ": " << near.status();
      ASSERT_TRUE(far.ok()) << c_.ToString() << ": " << far.status();
      const Real tolerance = std::abs(far->slope - near->slope) + near->error + far->error +
                             64 * UnitRoundoff(DType::kF64) * near->size;
      if (tolerance > 1e-3L * near->size + 1e-6L) {
        Report::Global().Skipped("gradient", absl::StrCat(c_.op, ": too steep to be measured"));
        continue;
      }
      EXPECT_LE(std::abs(grad.values[e] - near->slope), tolerance)
          << c_.ToString() << ": gradient of element " << e << " of input " << input << " is "
          << static_cast<double>(grad.values[e]) << ", differences give "
          << static_cast<double>(near->slope);
    }
  }

  const Case& c_;
  std::mt19937_64 random_;
  std::vector<Tensor> inputs_;
  std::vector<RefTensor> values_;
  std::vector<RefTensor> reference_;
  std::vector<std::vector<Real>> weights_;
};

// Values that differences can be taken of.
bool IsTame(const Case& c) {
  for (const InputDef& input : c.inputs) {
    for (Real value : input.fill.values) {
      if (!std::isfinite(value) || std::abs(value) > 1e6L) return false;
    }
  }
  return true;
}

}  // namespace

bool CanDifferentiate(const Case& c) {
  const OpDef* const op = OpRegistry::Global().Find(c.op);
  bool has_f64 = false, only_f64 = true;
  for (const InputDef& input : c.inputs) {
    if (!IsFloating(input.dtype)) continue;
    has_f64 = has_f64 || input.dtype == DType::kF64;
    only_f64 = only_f64 && input.dtype == DType::kF64;
  }
  return op != nullptr && c.gradient && op->traits.differentiable && has_f64 && only_f64 &&
         IsTame(c);
}

void CheckGradient(const Case& c) {
  if (CanDifferentiate(c)) GradientCheck(c).Run();
}

}  // namespace tandem::conformance
