// A reference for op definitions: runs ops in double precision, one element at a time, records them,
// and differentiates them with their own vjps, as often as wanted. Tests of gradients and
// decompositions need no device and no kernel with it, and its plain loops are what a kernel can be
// compared with.
//
//   ReferenceTape invoker(registry);
//   Tensor x = invoker.Input({DType::kF64, {2, 2}}, {1, 2, 3, 4});
//   TANDEM_ASSIGN_OR_RETURN(TensorList y, invoker.Invoke("softmax", {x}, {}, nullptr));
//   ReferenceTape::Values(y[0]);
//
// Its tensors are symbols that carry their values. Whatever their dtype, values are doubles that
// are not rounded (integers and bool hold whole numbers). Thread rules: one thread.
#ifndef TANDEM_CORE_OPS_TESTING_REFERENCE_TAPE_H_
#define TANDEM_CORE_OPS_TESTING_REFERENCE_TAPE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// What an op's evaluation reads and writes. `outputs` arrive sized and filled with 0.
struct ReferenceCall {
  const AttributeMap& attrs;
  std::vector<TensorSpec> input_specs;
  std::vector<const std::vector<double>*> inputs;
  SpecList output_specs;
  std::vector<std::vector<double>> outputs;
};

// Evaluates the op; UNIMPLEMENTED if the reference does not have it.
absl::Status EvaluateReference(absl::string_view op, ReferenceCall& call);
bool ReferenceHas(absl::string_view op);

class ReferenceTape : public Invoker {
 public:
  explicit ReferenceTape(const OpRegistry& registry) : registry_(registry) {}

  // An op that the reference does not have runs by its decomposition.
  absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                    absl::Span<const AttributeInit> attrs, Device* device) override;
  // The same through the op's decomposition, which it must have.
  absl::StatusOr<TensorList> Decompose(absl::string_view op, absl::Span<const Tensor> inputs,
                                       absl::Span<const AttributeInit> attrs);

  static Tensor Input(const TensorSpec& spec, std::vector<double> values);
  // Of a tensor that this class made.
  static const std::vector<double>& Values(const Tensor& tensor);

  // The gradients of sum(heads * head_grads) by `inputs`; undefined where there is none. A vjp sees
  // only the values that its masks say it reads, and every gradient must have its input's spec:
  // INTERNAL otherwise. Runs on this invoker, so that gradients have gradients.
  absl::StatusOr<std::vector<Tensor>> Gradients(absl::Span<const Tensor> heads,
                                                absl::Span<const Tensor> head_grads,
                                                absl::Span<const Tensor> inputs);

  // The ops that ran, in order.
  std::vector<std::string> trace() const;

 private:
  struct Node {
    const OpDef* op;
    AttributeMap attrs;
    std::vector<Tensor> inputs;
    TensorList outputs;
  };

  absl::StatusOr<std::vector<Tensor>> RunVjp(const Node& node, absl::Span<const Tensor> grads,
                                             uint64_t wanted);

  const OpRegistry& registry_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_TESTING_REFERENCE_TAPE_H_
