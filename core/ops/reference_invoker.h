// Runs ops on plain doubles, element by element, without a device: for tests of definitions.
//
//   ReferenceInvoker invoker(&registry);
//   Tensor x = ReferenceInvoker::Make({DType::kF64, {2}}, {1.0, 2.0});
//   Emitter emit(invoker);
//   ReferenceInvoker::Values(emit("square", {x}));  // 1, 4
//
// Elementwise ops are evaluated from their scalar expressions, views from their view functions, the
// rest from their decompositions or, for the few that have neither (full, sum, concat, …), here.
// Tensors are symbols that carry their values.
//
// Thread rules: one thread.
#ifndef TANDEM_CORE_OPS_REFERENCE_INVOKER_H_
#define TANDEM_CORE_OPS_REFERENCE_INVOKER_H_

#include <initializer_list>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tandem/core/op/invoker.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

class ReferenceInvoker : public Invoker {
 public:
  explicit ReferenceInvoker(const OpRegistry* registry) : registry_(registry) {}

  absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                    absl::Span<const AttributeInit> attrs, Device* device) override;

  // Row-major values, rounded to the dtype.
  static Tensor Make(const TensorSpec& spec, std::vector<double> values);
  static const std::vector<double>& Values(const Tensor& tensor);

 private:
  absl::StatusOr<TensorList> Run(const OpDef& op, absl::Span<const Tensor> inputs,
                                 const AttributeMap& attrs, absl::Span<const TensorSpec> outputs);

  const OpRegistry* registry_;
};

// Compares an op's vjp with central differences, for a random linear function of its outputs, at
// floating-point inputs that are f64. Values that the op's masks say are not read are NaN while the
// vjp runs, so that a mask that is too tight fails. INTERNAL tells the input, the element and both
// numbers. `tolerance` is relative to 1 + |gradient|.
absl::Status CheckGradient(const OpRegistry& registry, absl::string_view op,
                           const std::vector<Tensor>& inputs,
                           const std::vector<AttributeInit>& attrs = {}, double tolerance = 1e-8);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_REFERENCE_INVOKER_H_
