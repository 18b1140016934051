// What interpreters, executables and passes share about control flow: ops that run bodies as values
// say (OpDef::control, op_def.h).
//
//   for (int b = 0; b < bodies.size(); ++b) {
//     TANDEM_ASSIGN_OR_RETURN(std::vector<TensorSpec> specs, BodyInputSpecs(op, attrs, inputs, b));
//   }
//   // Eagerly, by single ops:
//   TANDEM_ASSIGN_OR_RETURN(TensorList y, RunControlFlow(op, attrs, inputs, specs, invoker));
//
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OP_CONTROL_FLOW_H_
#define TANDEM_CORE_OP_CONTROL_FLOW_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// The bodies among the attributes, in the order of the schema. None is null in a valid use.
std::vector<const OpBody*> BodiesOf(const AttributeMap& attrs);
// The same attributes with other bodies, as many as there are.
absl::StatusOr<AttributeMap> WithBodies(const OpDef& op, const AttributeMap& attrs,
                                        absl::Span<const Ref<const OpBody>> bodies);

// The specs of the inputs of body `body` where the op's inputs are `inputs`. INVALID_ARGUMENT if
// there are too few inputs, or a scalar has no first axis to go along.
absl::StatusOr<std::vector<TensorSpec>> BodyInputSpecs(const OpDef& op, const AttributeMap& attrs,
                                                       absl::Span<const TensorSpec* const> inputs,
                                                       int body);

// Runs a control-flow op on concrete tensors, its bodies step by step through `invoker`, which runs
// ops at once.
absl::StatusOr<TensorList> RunControlFlow(const OpDef& op, const AttributeMap& attrs,
                                          absl::Span<const Tensor> inputs,
                                          absl::Span<const TensorSpec> outputs, Invoker& invoker);

// Whether the only element is something other than 0, as cast to bool sees it: NaN is true, -0.0 is
// false. Waits for it. INVALID_ARGUMENT if there is not exactly one.
absl::StatusOr<bool> ReadPredicate(const Tensor& tensor);

// --- for runners and for ControlFlow::run ---------------------------------------------------------

// `tensor`, or a row-major copy of it.
absl::StatusOr<Tensor> MakeContiguous(const Tensor& tensor, Invoker& invoker);
// Copies into `to`, which is contiguous and of the same spec, on the device's default stream.
absl::Status CopyInto(const Tensor& from, const Tensor& to, Invoker& invoker);
// result[i] is written to into[i] where that is a tensor and not the result itself, and stands for
// it then.
absl::Status PlaceInto(TensorList* results, absl::Span<const Tensor> into, Invoker& invoker);

}  // namespace tandem

#endif  // TANDEM_CORE_OP_CONTROL_FLOW_H_
