#include "tandem/core/ops/testing/reference_tape.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

class Value : public Symbol {
 public:
  explicit Value(std::vector<double> values) : values(std::move(values)) {}
  std::string Describe() const override { return "a reference value"; }
  std::string name() const override { return "%value"; }
  absl::Status ValueError(absl::string_view what) const override {
    return absl::FailedPreconditionError(absl::StrCat(what, ": read it with Values()"));
  }
  Interpreter* interpreter() const override { return nullptr; }

  const std::vector<double> values;
};

// The tensor's spec without its values: what a vjp may see of a tensor that was released.
Tensor Released(const Tensor& tensor) {
  return Tensor::Symbolic(tensor.spec(), nullptr, MakeRef<Value>(std::vector<double>()));
}

}  // namespace

Tensor ReferenceTape::Input(const TensorSpec& spec, std::vector<double> values) {
  return Tensor::Symbolic(spec, nullptr, MakeRef<Value>(std::move(values)));
}

const std::vector<double>& ReferenceTape::Values(const Tensor& tensor) {
  return static_cast<const Value*>(tensor.symbol().get())->values;
}

std::vector<std::string> ReferenceTape::trace() const {
  std::vector<std::string> names;
  for (const auto& node : nodes_) names.push_back(node->op->name);
  return names;
}

absl::StatusOr<TensorList> ReferenceTape::Invoke(absl::string_view name,
                                                 absl::Span<const Tensor> inputs,
                                                 absl::Span<const AttributeInit> attrs,
                                                 Device* device) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* op, registry_.Get(name));
  if (!ReferenceHas(name)) return Decompose(name, inputs, attrs);
  auto node = std::make_unique<Node>();
  node->op = op;
  TANDEM_ASSIGN_OR_RETURN(node->attrs, AttributeMap::Create(op->attributes, attrs));
  node->inputs.assign(inputs.begin(), inputs.end());
  TANDEM_ASSIGN_OR_RETURN(SpecList specs, InferSpecs(*op, node->attrs, inputs));

  ReferenceCall call{node->attrs, {}, {}, std::move(specs), {}};
  for (const Tensor& input : inputs) {
    if (static_cast<int64_t>(Values(input).size()) != input.num_elements()) {
      return absl::InternalError(absl::StrCat(name, " reads the values of a released ",
                                              input.spec().ToString(), ": a mask is too tight"));
    }
    call.input_specs.push_back(input.spec());
    call.inputs.push_back(&Values(input));
  }
  for (const TensorSpec& spec : call.output_specs) {
    call.outputs.emplace_back(spec.shape.num_elements(), 0.0);
  }
  TANDEM_RETURN_IF_ERROR(EvaluateReference(name, call));
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    node->outputs.push_back(Input(call.output_specs[i], std::move(call.outputs[i])));
  }
  nodes_.push_back(std::move(node));
  return nodes_.back()->outputs;
}

absl::StatusOr<TensorList> ReferenceTape::Decompose(absl::string_view name,
                                                    absl::Span<const Tensor> inputs,
                                                    absl::Span<const AttributeInit> attrs) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* op, registry_.Get(name));
  if (!op->decompose) {
    return absl::UnimplementedError(absl::StrCat("the reference has no ", name));
  }
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap map, AttributeMap::Create(op->attributes, attrs));
  TANDEM_ASSIGN_OR_RETURN(const SpecList specs, InferSpecs(*op, map, inputs));
  DecomposeContext context(map, inputs, *this);
  TANDEM_ASSIGN_OR_RETURN(TensorList outputs, op->decompose(context));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs.size() != specs.size() || outputs[i].spec() != specs[i]) {
      return absl::InternalError(absl::StrCat("the decomposition of ", name, " gives ",
                                              outputs[i].spec().ToString(), " as output ", i,
                                              ", inference ", specs[i].ToString()));
    }
  }
  return outputs;
}

absl::StatusOr<std::vector<Tensor>> ReferenceTape::RunVjp(const Node& node,
                                                          absl::Span<const Tensor> grads,
                                                          uint64_t wanted) {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const bool read = i >= 64 || ((node.op->vjp_inputs >> i) & 1) != 0;
    inputs.push_back(read ? node.inputs[i] : Released(node.inputs[i]));
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const bool read = i >= 64 || ((node.op->vjp_outputs >> i) & 1) != 0;
    outputs.push_back(read ? node.outputs[i] : Released(node.outputs[i]));
  }
  VjpContext context(node.attrs, inputs, outputs, grads, wanted, *this);
  TANDEM_ASSIGN_OR_RETURN(TensorList result, node.op->vjp(context));
  if (result.size() != inputs.size()) {
    return absl::InternalError(absl::StrCat("the vjp of ", node.op->name, " gives ", result.size(),
                                            " gradients for ", inputs.size(), " inputs"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (result[i].defined() && result[i].spec() != inputs[i].spec()) {
      return absl::InternalError(absl::StrCat("the vjp of ", node.op->name, " gives ",
                                              result[i].spec().ToString(), " for input ", i, ", ",
                                              inputs[i].spec().ToString()));
    }
  }
  return std::vector<Tensor>(result.begin(), result.end());
}

absl::StatusOr<std::vector<Tensor>> ReferenceTape::Gradients(absl::Span<const Tensor> heads,
                                                             absl::Span<const Tensor> head_grads,
                                                             absl::Span<const Tensor> inputs) {
  const int64_t count = static_cast<int64_t>(nodes_.size());
  std::set<const Symbol*> reached;  // what depends on an input
  for (const Tensor& input : inputs) reached.insert(input.symbol().get());
  auto depends = [&](const Tensor& t) { return reached.contains(t.symbol().get()); };
  for (int64_t i = 0; i < count; ++i) {
    const Node& node = *nodes_[i];
    if (!node.op->traits.differentiable) continue;
    if (std::none_of(node.inputs.begin(), node.inputs.end(), depends)) continue;
    for (const Tensor& output : node.outputs) {
      if (IsFloating(output.dtype())) reached.insert(output.symbol().get());
    }
  }

  std::map<const Symbol*, Tensor> grads;
  auto accumulate = [&](const Tensor& at, const Tensor& grad) -> absl::Status {
    Tensor& slot = grads[at.symbol().get()];
    if (!slot.defined()) {
      slot = grad;
      return absl::OkStatus();
    }
    TANDEM_ASSIGN_OR_RETURN(TensorList sum, Invoke("add", {slot, grad}, {}, nullptr));
    slot = sum[0];
    return absl::OkStatus();
  };
  for (size_t i = 0; i < heads.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(accumulate(heads[i], head_grads[i]));
  }
  for (int64_t n = count - 1; n >= 0; --n) {
    const Node& node = *nodes_[n];
    std::vector<Tensor> output_grads;
    bool any = false;
    for (const Tensor& output : node.outputs) {
      auto it = depends(output) ? grads.find(output.symbol().get()) : grads.end();
      output_grads.push_back(it == grads.end() ? Tensor() : it->second);
      any = any || output_grads.back().defined();
    }
    if (!any) continue;
    uint64_t wanted = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (depends(node.inputs[i])) wanted |= uint64_t{1} << i;
    }
    if (!node.op->vjp) {
      return absl::UnimplementedError(absl::StrCat(node.op->name, " has no vjp"));
    }
    TANDEM_ASSIGN_OR_RETURN(std::vector<Tensor> input_grads, RunVjp(node, output_grads, wanted));
    for (size_t i = 0; i < input_grads.size(); ++i) {
      if (!input_grads[i].defined() || !depends(node.inputs[i])) continue;
      TANDEM_RETURN_IF_ERROR(accumulate(node.inputs[i], input_grads[i]));
    }
  }
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    auto it = grads.find(input.symbol().get());
    result.push_back(it == grads.end() ? Tensor() : it->second);
  }
  return result;
}

}  // namespace tandem
