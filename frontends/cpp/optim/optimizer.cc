#include "tandem/frontends/cpp/optim/optimizer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/error.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem {
namespace {

void CheckNotNegative(double value, absl::string_view what) {
  if (std::isfinite(value) && value >= 0) return;
  throw Error(absl::InvalidArgumentError(
      absl::StrCat(what, " must be finite and not negative, it is ", value)));
}

// `value` in [0, 1).
double Decay(double value, absl::string_view what) {
  if (!(value >= 0 && value < 1)) {
    throw Error(
        absl::InvalidArgumentError(absl::StrCat(what, " must be in [0, 1), it is ", value)));
  }
  return value;
}

Tensor WithDecay(const UpdateInput& input) {
  if (input.weight_decay == 0.0) return input.grad;
  return input.grad + input.weight * input.weight_decay;
}

}  // namespace

Optimizer::Optimizer(Common common) : common_(std::move(common)) {
  CheckNotNegative(common_.learning_rate, "the learning rate");
  CheckNotNegative(common_.weight_decay, "the weight decay");
  CheckNotNegative(common_.clip_gradient, "the bound of the gradient");
}

void Optimizer::set_learning_rate(double learning_rate) {
  CheckNotNegative(learning_rate, "the learning rate");
  common_.learning_rate = learning_rate;
}

double Optimizer::LearningRateAt(int64_t steps_done) const {
  return common_.learning_rate * (common_.schedule ? common_.schedule(steps_done) : 1.0);
}

std::vector<double> Optimizer::Scalars(int64_t steps_done) const {
  return {LearningRateAt(steps_done)};
}

SGD::SGD(const SGDOptions& options)
    : Optimizer({.learning_rate = options.learning_rate,
                 .weight_decay = options.weight_decay,
                 .clip_gradient = options.clip_gradient,
                 .schedule = options.schedule}),
      momentum_(Decay(options.momentum, "SGD: the momentum")) {}

std::vector<std::string> SGD::state_names() const {
  if (momentum_ == 0.0) return {};
  return {"momentum"};
}

UpdateOutput SGD::Update(const UpdateInput& input) const {
  const Tensor step = WithDecay(input) * input.scalars[0];
  if (momentum_ == 0.0) return {input.weight - step, {}};
  const Tensor momentum = input.state[0] * momentum_ - step;
  return {input.weight + momentum, {momentum}};
}

Adam::Adam(const AdamOptions& options)
    : Optimizer({.learning_rate = options.learning_rate,
                 .weight_decay = options.weight_decay,
                 .clip_gradient = options.clip_gradient,
                 .schedule = options.schedule}),
      beta1_(Decay(options.beta1, "Adam: beta1")),
      beta2_(Decay(options.beta2, "Adam: beta2")),
      epsilon_(options.epsilon) {
  CheckNotNegative(epsilon_, "Adam: epsilon");
}

std::vector<double> Adam::Scalars(int64_t steps_done) const {
  const double t = static_cast<double>(steps_done + 1);
  return {LearningRateAt(steps_done) * std::sqrt(1.0 - std::pow(beta2_, t)) /
          (1.0 - std::pow(beta1_, t))};
}

UpdateOutput Adam::Update(const UpdateInput& input) const {
  const Tensor grad = WithDecay(input);
  const Tensor mean = input.state[0] * beta1_ + grad * (1.0 - beta1_);
  const Tensor variance = input.state[1] * beta2_ + Square(grad) * (1.0 - beta2_);
  const Tensor step = input.scalars[0] * mean / (Sqrt(variance) + epsilon_);
  return {input.weight - step, {mean, variance}};
}

}  // namespace tandem
