#include "tandem/frontends/cpp/loss/loss.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/frontends/cpp/array.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem {
namespace {

// Labels may come in another shape of as many elements, such as (n) for (n, 1).
Tensor ShapedLike(const Tensor& label, const Tensor& prediction) {
  if (label.shape() == prediction.shape()) return label;
  if (label.num_elements() != prediction.num_elements()) {
    throw Error(absl::InvalidArgumentError(absl::StrCat("loss: label ", label.Describe(),
                                                        " and prediction ", prediction.Describe(),
                                                        " must have as many elements")));
  }
  return Reshape(label, prediction.shape());
}

int Axis(int64_t axis, const Tensor& x) {
  auto normalized = NormalizeAxis(axis, x.rank());
  if (!normalized.ok()) {
    internal::Throw(Annotate(normalized.status(), absl::StrCat("loss of ", x.Describe())));
  }
  return *normalized;
}

// With `axis` moved to the end.
Tensor AxisLast(const Tensor& x, int axis) {
  if (axis == x.rank() - 1) return x;
  std::vector<int64_t> order;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis) order.push_back(i);
  }
  order.push_back(axis);
  return Transpose(x, {.axes = order});
}

}  // namespace

TensorList Loss::HybridForwardAll(const TensorList& inputs, const Params& p) {
  if (inputs.size() != 2 && inputs.size() != 3) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat(type_name(),
                     " takes a prediction, a label, and perhaps a weight for each "
                     "example; it was given ",
                     inputs.size(), " inputs")));
  }
  Tensor loss = Elementwise(inputs[0], inputs[1]);
  if (inputs.size() == 3) loss *= inputs[2];
  if (options_.weight != 1.0) loss *= options_.weight;
  if (loss.rank() > 1) {
    const int batch = Axis(options_.batch_axis, loss);
    std::vector<int64_t> axes;
    for (int i = 0; i < loss.rank(); ++i) {
      if (i != batch) axes.push_back(i);
    }
    loss = Mean(loss, {.axes = axes});
  }
  return {loss};
}

Tensor L2Loss::Elementwise(const Tensor& prediction, const Tensor& label) {
  return Square(ShapedLike(label, prediction) - prediction) * 0.5;
}

Tensor L1Loss::Elementwise(const Tensor& prediction, const Tensor& label) {
  return Abs(ShapedLike(label, prediction) - prediction);
}

Tensor SigmoidBinaryCrossEntropyLoss::Elementwise(const Tensor& prediction, const Tensor& label) {
  const Tensor z = ShapedLike(label, prediction);
  if (from_sigmoid_) {
    // Probabilities of exactly 0 and 1 would give infinities.
    const double tiny = 1e-12;
    return -(z * Log(prediction + tiny) + (1.0 - z) * Log(1.0 - prediction + tiny));
  }
  return Relu(prediction) - prediction * z + Softplus(-Abs(prediction));
}

Tensor SoftmaxCrossEntropyLoss::Elementwise(const Tensor& prediction, const Tensor& label) {
  const int axis = Axis(options_.axis, prediction);
  if (!options_.sparse_label) {
    const Tensor log_p = options_.from_logits ? prediction : LogSoftmax(prediction, {.axis = axis});
    return -Sum(log_p * ShapedLike(label, prediction), {.axes = {axis}});
  }
  Tensor classes = label;
  // (n, 1) for (n): the axis of the classes may have been kept.
  if (classes.rank() == prediction.rank() && classes.shape()[axis] == 1) {
    classes = Squeeze(classes, {.axes = {axis}});
  }
  if (IsFloating(classes.dtype())) classes = Cast(classes, DType::kI64);
  const Tensor last = AxisLast(prediction, axis);
  if (!options_.from_logits) return CrossEntropy(last, classes);
  const Tensor chosen = OneHot(classes, last.shape().back(), {.dtype = last.dtype()});
  // Of the others not even an infinity counts. A class that is not there is 0 / 0, like in
  // CrossEntropy.
  const Tensor picked = Sum(Where(chosen != 0, last, ZerosLike(last)), {.axes = {-1}});
  return -(picked / Sum(chosen, {.axes = {-1}}));
}

}  // namespace tandem
