#include "tandem/core/op/body_recorder.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

class BodySymbol final : public Symbol {
 public:
  BodySymbol(int32_t value, const TensorSpec& spec) : value_(value), spec_(spec) {}
  int32_t value() const { return value_; }

  std::string Describe() const override { return absl::StrCat(name(), " : ", spec_.ToString()); }
  std::string name() const override { return absl::StrCat("%", value_); }
  absl::Status ValueError(absl::string_view what) const override {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": ", Describe(), " is a value of a body, which has none yet"));
  }
  Interpreter* interpreter() const override { return nullptr; }

 private:
  const int32_t value_;
  const TensorSpec spec_;
};

// Runs a body's steps on a recorder and keeps what their gradients need.
class Differentiator final : public Invoker {
 public:
  Differentiator(BodyRecorder& recorder, absl::Span<const Tensor> inputs,
                 const std::vector<bool>& wanted)
      : recorder_(recorder), emit_(recorder) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (wanted[i] && IsFloating(inputs[i].dtype())) Track(inputs[i]);
    }
  }

  // What the steps call. Like the tape: an op without a gradient of its own is replaced by its parts.
  absl::StatusOr<TensorList> Invoke(absl::string_view name, absl::Span<const Tensor> inputs,
                                    absl::Span<const AttributeInit> init, Device*) override {
    TANDEM_ASSIGN_OR_RETURN(const OpDef* const op, OpRegistry::Global().Get(name));
    TANDEM_ASSIGN_OR_RETURN(AttributeMap attrs, AttributeMap::Create(op->attributes, init));
    bool record = false;
    for (const Tensor& input : inputs) record = record || IsTracked(input);
    record = record && op->traits.differentiable;
    if (record && !op->vjp && op->decompose) {
      TANDEM_RETURN_IF_ERROR(InferSpecs(*op, attrs, inputs).status());
      DecomposeContext context(attrs, inputs, *this);
      return op->decompose(context);
    }
    TANDEM_ASSIGN_OR_RETURN(TensorList outputs, recorder_.Add(*op, attrs, inputs));
    if (record) {
      for (const Tensor& output : outputs) {
        if (IsFloating(output.dtype())) Track(output);
      }
      entries_.push_back({op, std::move(attrs), TensorList(inputs.begin(), inputs.end()), outputs});
    }
    return outputs;
  }

  void AddGrad(const Tensor& to, const Tensor& grad) {
    if (!IsTracked(to) || !grad.defined()) return;
    Tensor& sum = grads_[recorder_.ValueOf(to)];
    sum = sum.defined() ? emit_("add", {sum, grad}) : grad;
  }

  absl::Status Reverse() {
    for (; !entries_.empty(); entries_.pop_back()) {
      const Entry& entry = entries_.back();
      std::vector<Tensor> grads;
      bool any = false;
      for (const Tensor& output : entry.outputs) {
        grads.push_back(GradOf(output));
        any = any || grads.back().defined();
      }
      if (!any) continue;
      if (!entry.op->vjp) {
        return absl::UnimplementedError(absl::StrCat(
            "op ", entry.op->name, " has no gradient; detach its input if none is wanted"));
      }
      uint64_t wanted = 0;
      for (size_t i = 0; i < entry.inputs.size() && i < 64; ++i) {
        wanted |= uint64_t{IsTracked(entry.inputs[i])} << i;
      }
      VjpContext context(entry.attrs, entry.inputs, entry.outputs, grads, wanted, recorder_);
      auto result = entry.op->vjp(context);
      if (!result.ok()) {
        return Annotate(result.status(), absl::StrCat("gradient of ", entry.op->name));
      }
      for (size_t i = 0; i < entry.inputs.size() && i < result->size(); ++i) {
        AddGrad(entry.inputs[i], (*result)[i]);
      }
      TANDEM_RETURN_IF_ERROR(emit_.status());
    }
    return emit_.status();
  }

  Tensor GradOf(const Tensor& value) const {
    return IsTracked(value) ? grads_[recorder_.ValueOf(value)] : Tensor();
  }

 private:
  struct Entry {
    const OpDef* op;
    AttributeMap attrs;
    TensorList inputs;
    TensorList outputs;
  };

  bool IsTracked(const Tensor& tensor) const {
    const auto value = static_cast<size_t>(recorder_.ValueOf(tensor));
    return value < tracked_.size() && tracked_[value];
  }
  void Track(const Tensor& tensor) {
    const auto value = static_cast<size_t>(recorder_.ValueOf(tensor));
    if (value >= tracked_.size()) {
      tracked_.resize(value + 1, false);
      grads_.resize(value + 1);
    }
    tracked_[value] = true;
  }

  BodyRecorder& recorder_;
  Emitter emit_;
  std::vector<Entry> entries_;
  std::vector<bool> tracked_;  // by value: a gradient may be wanted
  std::vector<Tensor> grads_;
};

}  // namespace

BodyRecorder::BodyRecorder(absl::Span<const TensorSpec> inputs)
    : specs_(inputs.begin(), inputs.end()) {
  for (size_t i = 0; i < inputs.size(); ++i) inputs_.push_back(Symbol(static_cast<int32_t>(i)));
}

Tensor BodyRecorder::Symbol(int32_t value) const {
  return Tensor::Symbolic(specs_[value], nullptr, MakeRef<BodySymbol>(value, specs_[value]));
}

int32_t BodyRecorder::ValueOf(const Tensor& symbol) const {
  return static_cast<const BodySymbol&>(*symbol.symbol()).value();
}

absl::Status BodyRecorder::Check(const Tensor& tensor, absl::string_view user) const {
  const auto* symbol = tensor.defined() && tensor.is_symbolic()
                           ? dynamic_cast<const BodySymbol*>(tensor.symbol().get())
                           : nullptr;
  if (symbol != nullptr && symbol->value() < static_cast<int32_t>(specs_.size())) {
    return absl::OkStatus();
  }
  return absl::InternalError(
      absl::StrCat(user, ": ", tensor.defined() ? tensor.Describe() : "an undefined tensor",
                   " is no value of the body that is recorded"));
}

absl::StatusOr<TensorList> BodyRecorder::Invoke(absl::string_view op,
                                                absl::Span<const Tensor> inputs,
                                                absl::Span<const AttributeInit> attrs, Device*) {
  TANDEM_ASSIGN_OR_RETURN(const OpDef* const def, OpRegistry::Global().Get(op));
  auto map = AttributeMap::Create(def->attributes, attrs);
  if (!map.ok()) return Annotate(map.status(), op);
  return Add(*def, *map, inputs);
}

absl::StatusOr<TensorList> BodyRecorder::Add(const OpDef& op, const AttributeMap& attrs,
                                             absl::Span<const Tensor> inputs) {
  OpBody::Step step;
  step.op = &op;
  step.attrs = attrs;
  for (const Tensor& input : inputs) {
    TANDEM_RETURN_IF_ERROR(Check(input, op.name));
    step.inputs.push_back(ValueOf(input));
  }
  TANDEM_ASSIGN_OR_RETURN(const SpecList outputs, InferSpecs(op, attrs, inputs));
  step.first_output = static_cast<int32_t>(specs_.size());
  step.num_outputs = static_cast<int32_t>(outputs.size());
  specs_.insert(specs_.end(), outputs.begin(), outputs.end());
  TensorList symbols;
  for (int32_t i = 0; i < step.num_outputs; ++i) symbols.push_back(Symbol(step.first_output + i));
  steps_.push_back(std::move(step));
  return symbols;
}

absl::StatusOr<Ref<const OpBody>> BodyRecorder::Finish(absl::Span<const Tensor> outputs) {
  std::vector<bool> needed(specs_.size(), false);
  for (const Tensor& output : outputs) {
    TANDEM_RETURN_IF_ERROR(Check(output, "return"));
    needed[ValueOf(output)] = true;
  }
  std::vector<bool> live(steps_.size(), false);
  for (size_t i = steps_.size(); i-- > 0;) {
    const OpBody::Step& step = steps_[i];
    for (int32_t k = 0; k < step.num_outputs; ++k) {
      live[i] = live[i] || needed[step.first_output + k];
    }
    if (!live[i]) continue;
    for (const int32_t input : step.inputs) needed[input] = true;
  }
  std::vector<int32_t> map(specs_.size(), -1);
  for (size_t i = 0; i < inputs_.size(); ++i) map[i] = static_cast<int32_t>(i);
  OpBody::Builder builder({specs_.begin(), specs_.begin() + inputs_.size()});
  std::vector<int32_t> operands;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (!live[i]) continue;
    const OpBody::Step& step = steps_[i];
    operands.clear();
    for (const int32_t input : step.inputs) operands.push_back(map[input]);
    TANDEM_ASSIGN_OR_RETURN(const int32_t first, builder.Add(*step.op, step.attrs, operands));
    for (int32_t k = 0; k < step.num_outputs; ++k) map[step.first_output + k] = first + k;
  }
  std::vector<int32_t> results;
  for (const Tensor& output : outputs) results.push_back(map[ValueOf(output)]);
  return builder.Finish(std::move(results));
}

absl::StatusOr<TensorList> RecordGradients(BodyRecorder& recorder, const OpBody& body,
                                           absl::Span<const Tensor> inputs,
                                           absl::Span<const Tensor> output_grads,
                                           const std::vector<bool>& wanted) {
  if (wanted.size() != inputs.size() || output_grads.size() != body.outputs().size()) {
    return absl::InternalError(absl::StrCat("gradient of a body: ", inputs.size(), " inputs and ",
                                            wanted.size(), " wishes, ", body.outputs().size(),
                                            " outputs and ", output_grads.size(), " gradients"));
  }
  Differentiator differentiator(recorder, inputs, wanted);
  TANDEM_ASSIGN_OR_RETURN(const TensorList outputs, body.Run(inputs, differentiator));
  for (size_t i = 0; i < outputs.size(); ++i) differentiator.AddGrad(outputs[i], output_grads[i]);
  TANDEM_RETURN_IF_ERROR(differentiator.Reverse());
  TensorList grads;
  for (size_t i = 0; i < inputs.size(); ++i) {
    grads.push_back(wanted[i] ? differentiator.GradOf(inputs[i]) : Tensor());
  }
  return grads;
}

}  // namespace tandem
