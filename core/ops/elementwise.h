// What definitions of elementwise ops share: inference by broadcasting and promotion, and gradients
// that undo both.
//
//   OpDef def = ElementwiseOp("mul", "a * b.", {{"a", "any shape"}, {"b", "broadcasts with a"}},
//                             ResultDType::kPromoted, scalar);
//   def.vjp = ElementwiseVjp([](VjpContext& c, int i) {
//     return c.emit("mul", {c.grad(), c.input(1 - i)});
//   });
//
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OPS_ELEMENTWISE_H_
#define TANDEM_CORE_OPS_ELEMENTWISE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/op/scalar_expr.h"

namespace tandem {

// The dtype of an elementwise result. "Promoted" is PromotedInputDType, over all inputs that are
// not taken as bool.
enum class ResultDType {
  kPromoted,  // that of the promoted inputs
  kNumber,    // the same; refused if all inputs are bool
  kFloat,     // the same if it is floating point, f32 otherwise
  kBool,
};

// Shapes broadcast, dtypes as told. INVALID_ARGUMENT if the shapes do not broadcast.
absl::StatusOr<SpecList> InferElementwise(const InferContext& context, ResultDType result);

// A definition of the family "elementwise" with inference; the rest is for the caller to set.
OpDef ElementwiseOp(std::string name, std::string doc, std::vector<OpInput> inputs,
                    ResultDType result, ScalarFn scalar);

// The gradient of input `i` before broadcasting and promotion are undone; undefined for none.
using ElementwiseGradient = std::function<Tensor(VjpContext& context, int i)>;

// A vjp that calls `gradient` for every floating-point input whose gradient is wanted, sums the
// result to the input's shape and casts it to the input's dtype.
VjpFn ElementwiseVjp(ElementwiseGradient gradient);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_ELEMENTWISE_H_
