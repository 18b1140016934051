#include "tandem/core/ops/shape_op.h"

#include <utility>

namespace tandem {

OpDef ShapeOp(std::string name, std::string doc, std::vector<OpInput> inputs,
              AttributeSchema attributes) {
  OpDef def;
  def.name = std::move(name);
  def.doc = std::move(doc);
  def.family = "shape";
  def.inputs = std::move(inputs);
  def.attributes = std::move(attributes);
  // Moving elements is linear: no gradient here reads values.
  def.vjp_inputs = 0;
  def.vjp_outputs = 0;
  return def;
}

VjpFn SingleVjp(Tensor (*gradient)(VjpContext& c)) {
  return [gradient](VjpContext& c) -> absl::StatusOr<TensorList> {
    TensorList grads(1);
    if (c.has_grad(0) && c.wants(0)) grads[0] = gradient(c);
    return c.Finish(std::move(grads));
  };
}

}  // namespace tandem
