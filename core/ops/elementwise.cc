#include "tandem/core/ops/elementwise.h"

#include <utility>

#include "absl/container/inlined_vector.h"
#include "tandem/core/op/elementwise_expr.h"

namespace tandem {

absl::StatusOr<SpecList> InferElementwise(const InferContext& context, ResultDType result) {
  TensorSpec spec;
  absl::InlinedVector<DType, 4> dtypes;
  for (int i = 0; i < context.num_inputs(); ++i) {
    const TensorSpec& input = context.input(i);
    dtypes.push_back(input.dtype);
    absl::StatusOr<Shape> shape = BroadcastShapes(spec.shape, input.shape);
    if (!shape.ok()) {
      return context.Error(shape.status().message(),
                           "insert dimensions of size 1 with expand_dims or reshape");
    }
    spec.shape = *shape;
  }
  spec.dtype = PromotedInputDType(context.op(), dtypes);
  switch (result) {
    case ResultDType::kPromoted:
      break;
    case ResultDType::kNumber:
      if (spec.dtype == DType::kBool) {
        return context.Error("is not defined for bool", "cast to a number first");
      }
      break;
    case ResultDType::kFloat:
      if (!IsFloating(spec.dtype)) spec.dtype = DType::kF32;
      break;
    case ResultDType::kBool:
      spec.dtype = DType::kBool;
      break;
  }
  return SpecList{spec};
}

OpDef ElementwiseOp(std::string name, std::string doc, std::vector<OpInput> inputs,
                    ResultDType result, ScalarFn scalar) {
  OpDef def;
  def.name = std::move(name);
  def.doc = std::move(doc);
  def.family = "elementwise";
  def.inputs = std::move(inputs);
  def.infer = [result](const InferContext& context) { return InferElementwise(context, result); };
  def.scalar = std::move(scalar);
  def.traits.inplace_safe = true;
  return def;
}

VjpFn ElementwiseVjp(ElementwiseGradient gradient) {
  return [gradient = std::move(gradient)](VjpContext& c) -> absl::StatusOr<TensorList> {
    TensorList grads(c.num_inputs());
    if (!c.has_grad(0)) return grads;
    for (int i = 0; i < c.num_inputs(); ++i) {
      const Tensor& input = c.input(i);
      if (!c.wants(i) || !IsFloating(input.dtype())) continue;
      const Tensor grad = gradient(c, i);
      if (!grad.defined()) continue;  // none, or an error that Finish() tells
      const Tensor sum = c.emit.SumTo(grad, input.shape());
      if (sum.defined()) grads[i] = c.emit.Cast(sum, input.dtype());
    }
    return c.Finish(std::move(grads));
  };
}

}  // namespace tandem
