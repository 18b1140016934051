// What the definitions of the family shape share.
//
//   OpDef def = ShapeOp("squeeze", "Removes dimensions of size 1.", {{"x", "any shape"}}, {...});
//   def.vjp = SingleVjp([](VjpContext& c) { return c.emit("reshape", {c.grad()}, ...); });
//
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OPS_SHAPE_OP_H_
#define TANDEM_CORE_OPS_SHAPE_OP_H_

#include <string>
#include <vector>

#include "tandem/core/op/op_def.h"

namespace tandem {

// A definition of the family "shape"; the rest is for the caller to set.
OpDef ShapeOp(std::string name, std::string doc, std::vector<OpInput> inputs,
              AttributeSchema attributes);

// A vjp for ops of one input and one output.
VjpFn SingleVjp(Tensor (*gradient)(VjpContext& c));

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_SHAPE_OP_H_
