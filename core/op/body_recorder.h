// BodyRecorder: writes bodies (op_body.h) by running code on symbols, gradients above all.
//
//   BodyRecorder recorder({x_spec, grad_spec});
//   Emitter emit(recorder);
//   Tensor y = emit("mul", {recorder.input(0), recorder.input(1)});
//   TANDEM_ASSIGN_OR_RETURN(Ref<const OpBody> body, recorder.Finish({&y, 1}));
//
// Whatever is written with an Emitter (gradients, decompositions) can be recorded. Its symbols stand
// for values of the body and for nothing else: nobody can run ops on them but this recorder.
//
// Thread rules: one thread.
#ifndef TANDEM_CORE_OP_BODY_RECORDER_H_
#define TANDEM_CORE_OP_BODY_RECORDER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

class BodyRecorder final : public Invoker {
 public:
  explicit BodyRecorder(absl::Span<const TensorSpec> inputs);

  // The symbols of the body's inputs.
  const Tensor& input(int i) const { return inputs_[i]; }
  absl::Span<const Tensor> inputs() const { return inputs_; }
  // The number of the value that a symbol of this recorder stands for.
  int32_t ValueOf(const Tensor& symbol) const;

  // Adds a step. INTERNAL for a tensor that is no symbol of this recorder.
  absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                    absl::Span<const AttributeInit> attrs, Device* device) override;
  absl::StatusOr<TensorList> Add(const OpDef& op, const AttributeMap& attrs,
                                 absl::Span<const Tensor> inputs);
  // The body of those steps that the outputs need. The recorder is used up.
  absl::StatusOr<Ref<const OpBody>> Finish(absl::Span<const Tensor> outputs);

 private:
  Tensor Symbol(int32_t value) const;
  absl::Status Check(const Tensor& tensor, absl::string_view user) const;

  std::vector<TensorSpec> specs_;  // of all values
  std::vector<OpBody::Step> steps_;
  std::vector<Tensor> inputs_;
};

// Records the gradients of a body: its steps on `inputs`, then the reverse of them. `output_grads`
// has an entry for each output, undefined where there is no gradient; `wanted` one for each input.
// The result has one for each input, undefined where none is wanted or none arrives. Gradients that
// meet are added in the order in which the tape (core/autograd) would add them.
absl::StatusOr<TensorList> RecordGradients(BodyRecorder& recorder, const OpBody& body,
                                           absl::Span<const Tensor> inputs,
                                           absl::Span<const Tensor> output_grads,
                                           const std::vector<bool>& wanted);

}  // namespace tandem

#endif  // TANDEM_CORE_OP_BODY_RECORDER_H_
