#include "tandem/core/ops/fused.h"

#include <vector>

#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

absl::StatusOr<SpecList> InferFused(const InferContext& c) {
  const OpBody* body = BodyAttribute(c.attrs());
  if (body == nullptr) return c.Error("has no body");
  std::vector<const TensorSpec*> inputs;
  for (int i = 0; i < c.num_inputs(); ++i) inputs.push_back(&c.input(i));
  return Explain(c, body->Infer(inputs));
}

absl::StatusOr<TensorList> DecomposeFused(DecomposeContext& c) {
  std::vector<Tensor> inputs;
  for (int i = 0; i < c.num_inputs(); ++i) inputs.push_back(c.input(i));
  TANDEM_ASSIGN_OR_RETURN(TensorList outputs,
                          BodyAttribute(c.attrs())->Run(inputs, c.emit.invoker()));
  return c.Finish(std::move(outputs));
}

}  // namespace

absl::Status RegisterFusedOps(OpRegistry* registry) {
  OpDef def;
  def.name = "fused";
  def.doc =
      "Runs the steps of its body, as one kernel where the device has one that gives the bits of "
      "the single steps, else one by one. For passes over graphs, which make it of chains of ops, "
      "and for whoever reads what they made; a model that is written by hand uses the ops "
      "themselves.";
  def.family = "fused";
  def.inputs = {{"inputs",
                 "what the body's inputs stand for, in their order; shapes and dtypes may "
                 "be others than those it was made for, if its steps take them"}};
  def.variadic = true;
  def.num_outputs = [](const AttributeMap& attrs) {
    const OpBody* body = BodyAttribute(attrs);
    return body == nullptr ? 0 : static_cast<int>(body->outputs().size());
  };
  def.attributes = {AttributeDef::Required("body", AttributeType::kBody,
                                           "the steps: ops on numbered values, and which values "
                                           "are the outputs")};
  def.infer = InferFused;
  def.decompose = DecomposeFused;
  def.runs_body = true;
  return registry->Register(std::move(def));
}

}  // namespace tandem
