#include "tandem/core/ops/softmax.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

absl::StatusOr<SpecList> InferSoftmax(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
  TANDEM_RETURN_IF_ERROR(
      Explain(c, NormalizeAxis(c.attrs().Int("axis"), c.input(0).shape.rank())).status());
  return SpecList{c.input(0)};
}

Tensor ReduceAxis(Emitter& emit, absl::string_view op, const Tensor& x, int64_t axis) {
  return emit(op, {x}, {{"axes", std::vector<int64_t>{axis}}, {"keepdims", true}});
}

// The gradient, from the output y alone: y * (g - sum(g * y)).
absl::StatusOr<TensorList> SoftmaxVjp(VjpContext& c) {
  const int64_t axis = c.attrs().Int("axis");
  const Tensor y = Wide(c.emit, c.output(0));
  const Tensor g = Wide(c.emit, c.grad());
  const Tensor sum = ReduceAxis(c.emit, "sum", c.emit("mul", {g, y}), axis);
  const Tensor dx = c.emit("mul", {y, c.emit("sub", {g, sum})});
  return c.Finish({c.emit.Cast(dx, c.output(0).dtype())});
}

// The gradient, from the output y alone: g - exp(y) * sum(g).
absl::StatusOr<TensorList> LogSoftmaxVjp(VjpContext& c) {
  const Tensor y = Wide(c.emit, c.output(0));
  const Tensor g = Wide(c.emit, c.grad());
  const Tensor sum = ReduceAxis(c.emit, "sum", g, c.attrs().Int("axis"));
  const Tensor dx = c.emit("sub", {g, c.emit("mul", {c.emit("exp", {y}), sum})});
  return c.Finish({c.emit.Cast(dx, c.output(0).dtype())});
}

// Subtracting the maximum keeps exp in range. An axis of size 0 has no maximum, and no result.
absl::StatusOr<TensorList> DecomposeSoftmax(DecomposeContext& c, bool log) {
  const Tensor& x = c.input(0);
  if (x.num_elements() == 0) return c.Finish({x});
  const int64_t axis = c.attrs().Int("axis");
  const Tensor wide = Wide(c.emit, x);
  const Tensor shifted = c.emit("sub", {wide, ReduceAxis(c.emit, "max", wide, axis)});
  const Tensor e = c.emit("exp", {shifted});
  const Tensor sum = ReduceAxis(c.emit, "sum", e, axis);
  const Tensor y = log ? c.emit("sub", {shifted, c.emit("log", {sum})}) : c.emit("div", {e, sum});
  return c.Finish({c.emit.Cast(y, x.dtype())});
}

absl::Status RegisterSoftmax(OpRegistry* registry, std::string name, std::string doc, VjpFn vjp,
                             bool log) {
  OpDef def;
  def.name = std::move(name);
  def.doc = std::move(doc);
  def.family = "nn";
  def.inputs = {{"x", "floating point, rank 1 or more"}};
  def.attributes = {AttributeDef::Optional("axis", -1, "the axis of the classes")};
  def.infer = InferSoftmax;
  def.vjp = std::move(vjp);
  def.decompose = [log](DecomposeContext& c) { return DecomposeSoftmax(c, log); };
  def.vjp_inputs = 0;
  def.vjp_outputs = 0b1;
  return registry->Register(std::move(def));
}

absl::StatusOr<SpecList> InferCrossEntropy(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
  TANDEM_RETURN_IF_ERROR(CheckInteger(c, 1));
  const Shape& logits = c.input(0).shape;
  if (logits.rank() == 0 || logits.back() == 0) {
    return c.Error("logits must have a last axis of at least one class");
  }
  const Shape rows(logits.span().subspan(0, logits.rank() - 1));
  TANDEM_RETURN_IF_ERROR(CheckShape(c, 1, rows, "one label for each row of logits"));
  return SpecList{{c.input(0).dtype, rows}};
}

// `x` where the label is a class, NaN elsewhere. Labels are compared as i64: their own dtype may
// not hold the number of classes.
Tensor WhereValid(Emitter& emit, const Tensor& x, const Tensor& labels, int64_t classes) {
  const Tensor wide = emit.Cast(labels, DType::kI64);
  const Tensor valid =
      emit("logical_and", {emit("greater_equal", {wide, emit.Full(0.0, wide)}),
                           emit("less", {wide, emit.Full(static_cast<double>(classes), wide)})});
  return emit("where", {valid, x, emit.Full(std::numeric_limits<double>::quiet_NaN(), x)});
}

// (softmax(logits) - one_hot(label)) * g
absl::StatusOr<TensorList> CrossEntropyVjp(VjpContext& c) {
  const Tensor& logits = c.input(0);
  const Tensor& labels = c.input(1);
  const int64_t classes = logits.shape().back();
  const DType wide = WideDType(logits.dtype());
  const Tensor g = WhereValid(c.emit, Wide(c.emit, c.grad()), labels, classes);
  const Tensor column = c.emit("expand_dims", {g}, {{"axis", -1}});
  const Tensor target = c.emit("one_hot", {labels}, {{"depth", classes}, {"dtype", wide}});
  const Tensor difference = c.emit("sub", {c.emit("softmax", {Wide(c.emit, logits)}), target});
  const Tensor dx = c.emit("mul", {difference, column});
  return c.Finish({c.emit.Cast(dx, logits.dtype()), Tensor()});
}

absl::StatusOr<TensorList> DecomposeCrossEntropy(DecomposeContext& c) {
  const Tensor& logits = c.input(0);
  const Tensor& labels = c.input(1);
  const int64_t classes = logits.shape().back();
  const Tensor is_target =
      c.emit("one_hot", {labels}, {{"depth", classes}, {"dtype", DType::kBool}});
  // Selected, not multiplied: 0 * -inf would be NaN.
  const Tensor chosen =
      c.emit("where", {is_target, c.emit("log_softmax", {logits}), c.emit.Full(0.0, logits)});
  const Tensor loss =
      c.emit("neg", {c.emit("sum", {chosen}, {{"axes", std::vector<int64_t>{-1}}})});
  return c.Finish({WhereValid(c.emit, loss, labels, classes)});
}

}  // namespace

absl::Status RegisterSoftmaxOps(OpRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(
      RegisterSoftmax(registry, "softmax",
                      "exp(x) / sum(exp(x)) along an axis, computed from x - max(x) so that it "
                      "does not overflow.",
                      SoftmaxVjp, /*log=*/false));
  TANDEM_RETURN_IF_ERROR(RegisterSoftmax(
      registry, "log_softmax",
      "x - log(sum(exp(x))) along an axis, computed from x - max(x) so that it does "
      "not overflow.",
      LogSoftmaxVjp, /*log=*/true));
  OpDef def;
  def.name = "cross_entropy";
  def.doc =
      "The loss -log_softmax(logits)[label] of each row, over the last axis. A label below 0 or "
      "not "
      "below the number of classes gives NaN, in the loss and in the gradient of its row.";
  def.family = "nn";
  def.inputs = {{"logits", "[...,classes], floating point"}, {"labels", "[...], integer"}};
  def.outputs = {"loss"};
  def.infer = InferCrossEntropy;
  def.vjp = CrossEntropyVjp;
  def.decompose = DecomposeCrossEntropy;
  def.vjp_inputs = 0b11;
  def.vjp_outputs = 0;
  return registry->Register(std::move(def));
}

}  // namespace tandem
