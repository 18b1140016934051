#include "tandem/graph/trace/trace_interpreter.h"

#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/mode.h"

namespace tandem {

TraceInterpreter::TraceInterpreter(std::string name, Device* device, Foreign foreign)
    : identity_(MakeRef<TraceIdentity>(name, this, foreign == Foreign::kCapture)),
      foreign_(foreign) {
  traced_.graph.set_name(std::move(name));
  traced_.device = device;
}

TraceInterpreter::~TraceInterpreter() { identity_->Finish(); }

std::string TraceInterpreter::UniqueName(absl::string_view wanted) const {
  std::string name(wanted);
  for (int i = 1; traced_.graph.FindInput(name) >= 0; ++i) name = absl::StrCat(wanted, "_", i);
  return name;
}

absl::Status TraceInterpreter::SetDevice(Device* device, absl::string_view what) {
  if (device == nullptr || device == traced_.device) return absl::OkStatus();
  if (traced_.device == nullptr) {
    traced_.device = device;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "trace '", name(), "': ", what, " is on ", device->id().ToString(), ", the graph on ",
      traced_.device->id().ToString(), "; a graph has one device, copy the tensor to it first"));
}

Tensor TraceInterpreter::MakeSymbol(ValueId value, absl::string_view producer, std::string block,
                                    std::string location) const {
  const TensorSpec& spec = traced_.graph.spec(value);
  GraphSymbol::Origin origin{traced_.graph.ValueName(value), std::string(producer), spec,
                             std::move(block), std::move(location)};
  return Tensor::Symbolic(spec, traced_.device,
                          MakeRef<GraphSymbol>(identity_, value, std::move(origin)));
}

absl::StatusOr<Tensor> TraceInterpreter::AddInput(absl::string_view name, const TensorSpec& spec,
                                                  InputBinding binding) {
  const InputKind kind = binding.kind;
  TANDEM_ASSIGN_OR_RETURN(const ValueId value, traced_.graph.AddInput(name, spec, kind));
  traced_.bindings.push_back(std::move(binding));
  return MakeSymbol(value, InputKindName(kind));
}

absl::StatusOr<Tensor> TraceInterpreter::AddArgument(absl::string_view name, const TensorSpec& spec,
                                                     Device* device) {
  TANDEM_RETURN_IF_ERROR(SetDevice(device, absl::StrCat("argument '", name, "'")));
  InputBinding binding;
  binding.kind = InputKind::kArgument;
  binding.argument = num_arguments_++;
  return AddInput(name, spec, std::move(binding));
}

absl::StatusOr<Tensor> TraceInterpreter::Capture(const Tensor& tensor) {
  if (auto it = captures_.find(tensor.impl()); it != captures_.end()) return it->second;
  if (tensor.is_symbolic() && tensor.symbol()->interpreter() == nullptr) {
    return tensor.symbol()->ValueError("using it");
  }
  TANDEM_RETURN_IF_ERROR(
      SetDevice(tensor.device(), absl::StrCat("the captured tensor ", tensor.Describe())));
  InputBinding binding;
  binding.kind = InputKind::kCapture;
  binding.tensor = tensor;
  TANDEM_ASSIGN_OR_RETURN(
      Tensor symbol, AddInput(UniqueName(absl::StrCat("captured_", num_captures_)), tensor.spec(),
                              std::move(binding)));
  ++num_captures_;
  // A leaf of its own: what it was computed from belongs to the tape outside.
  if (RequiresGrad(tensor)) TANDEM_RETURN_IF_ERROR(AttachGrad(symbol));
  // The binding keeps the tensor alive, so its address stays its own.
  captures_.emplace(tensor.impl(), symbol);
  return symbol;
}

bool TraceInterpreter::Owns(const Tensor& tensor) const {
  if (!tensor.defined() || !tensor.is_symbolic()) return false;
  const auto* symbol = dynamic_cast<const GraphSymbol*>(tensor.symbol().get());
  return symbol != nullptr && &symbol->trace() == identity_.get();
}

absl::StatusOr<ValueId> TraceInterpreter::ValueOf(const Tensor& tensor, absl::string_view what) {
  if (!tensor.defined()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is undefined"));
  }
  if (!tensor.is_symbolic()) {
    TANDEM_ASSIGN_OR_RETURN(const Tensor symbol, Capture(tensor));
    return static_cast<const GraphSymbol&>(*symbol.symbol()).value();
  }
  const auto* symbol = dynamic_cast<const GraphSymbol*>(tensor.symbol().get());
  if (symbol == nullptr) return tensor.symbol()->ValueError(what);
  if (&symbol->trace() == identity_.get()) return symbol->value();
  if (symbol->interpreter() == nullptr) return symbol->ValueError(what);
  if (foreign_ == Foreign::kCapture) {
    TANDEM_ASSIGN_OR_RETURN(const Tensor captured, Capture(tensor));
    return static_cast<const GraphSymbol&>(*captured.symbol()).value();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      what, ": ", symbol->Describe(), " is a symbol of the trace '", symbol->trace().name(),
      "' and cannot be used in the trace '", name(), "'; pass it to the function as an argument"));
}

absl::StatusOr<TensorList> TraceInterpreter::AddNode(const OpDef& op,
                                                     absl::Span<const Tensor> inputs,
                                                     const AttributeMap& attrs, std::string block,
                                                     std::string location) {
  if (identity_->interpreter() == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(op.name, ": the trace '", name(), "' is finished"));
  }
  ValueIds ids;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(const ValueId id,
                            ValueOf(inputs[i], absl::StrCat(op.name, ": input ", i)));
    ids.push_back(id);
  }
  TANDEM_ASSIGN_OR_RETURN(const ValueIds results,
                          traced_.graph.AddNode(op, attrs, ids, block, location));
  TensorList outputs;
  for (const ValueId value : results) {
    outputs.push_back(MakeSymbol(value, op.name, block, location));
  }
  return outputs;
}

absl::StatusOr<TensorList> TraceInterpreter::Invoke(const OpDef& op,
                                                    absl::Span<const Tensor> inputs,
                                                    const AttributeMap& attrs,
                                                    const InvokeOptions& options) {
  TANDEM_RETURN_IF_ERROR(SetDevice(options.device, op.name));
  return AddNode(op, inputs, attrs, CurrentBlockPath(), options.LocationString());
}

absl::StatusOr<TensorList> TraceInterpreter::Call(Callable& callable,
                                                  absl::Span<const Tensor> inputs) {
  if (&CurrentInterpreter() == this) return callable.Inline(inputs);
  InterpreterScope scope(*this);
  return callable.Inline(inputs);
}

absl::StatusOr<TraceInterpreter::Cell*> TraceInterpreter::CellOf(Variable& variable) {
  if (auto it = cells_.find(&variable); it != cells_.end()) return &it->second;
  const Tensor value = variable.Get();
  if (!value.defined()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "'", variable.name(), "' has no value yet; initialize it before the first use"));
  }
  TANDEM_RETURN_IF_ERROR(
      SetDevice(value.device(), absl::StrCat("variable '", variable.name(), "'")));
  InputBinding binding;
  binding.kind =
      GradRequestOf(variable) == GradRequest::kNone ? InputKind::kState : InputKind::kParameter;
  binding.variable = RefFrom(&variable);
  Cell cell;
  TANDEM_ASSIGN_OR_RETURN(cell.current,
                          AddInput(UniqueName(variable.name()), value.spec(), std::move(binding)));
  cell.input = static_cast<int32_t>(traced_.graph.inputs().size()) - 1;
  // Under a tape the symbol is the variable's leaf.
  cell.current.impl()->autograd = variable.autograd();
  cell_order_.push_back(&variable);
  return &(cells_[&variable] = std::move(cell));
}

absl::StatusOr<Tensor> TraceInterpreter::Read(Variable& variable) {
  TANDEM_ASSIGN_OR_RETURN(const Cell* const cell, CellOf(variable));
  return cell->current;
}

absl::Status TraceInterpreter::Write(Variable& variable, const Tensor& value) {
  TANDEM_ASSIGN_OR_RETURN(Cell* const cell, CellOf(variable));
  const std::string what = absl::StrCat("writing variable '", variable.name(), "'");
  TANDEM_ASSIGN_OR_RETURN(const ValueId id, ValueOf(value, what));
  const GraphInput& input = traced_.graph.inputs()[cell->input];
  const TensorSpec& wanted = traced_.graph.spec(input.value);
  if (traced_.graph.spec(id) != wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": it holds ", wanted.ToString(), ", the new value is ",
                     value.Describe(), "; inside a graph a variable keeps its dtype and shape"));
  }
  cell->current = Owns(value) ? Detach(value) : *Capture(value);
  cell->current.impl()->autograd = variable.autograd();
  cell->written = true;
  return absl::OkStatus();
}

absl::StatusOr<RandomState> TraceInterpreter::NextRandom(Device& device, int64_t blocks) {
  TANDEM_RETURN_IF_ERROR(SetDevice(&device, "the random generator"));
  if (blocks < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a draw of ", blocks, " random blocks"));
  }
  if (!random_state_.defined()) {
    InputBinding binding;
    binding.kind = InputKind::kRandomState;
    TANDEM_ASSIGN_OR_RETURN(random_state_, AddInput(UniqueName("random_state"), {DType::kI64, {2}},
                                                    std::move(binding)));
  }
  RandomState state{random_state_, traced_.graph.random_blocks()};
  TANDEM_ASSIGN_OR_RETURN(const int64_t next, CheckedAdd(state.delta, blocks));
  traced_.graph.set_random_blocks(next);
  return state;
}

std::vector<StateUpdate> TraceInterpreter::updates() const {
  std::vector<StateUpdate> updates;
  for (const Variable* variable : cell_order_) {
    const Cell& cell = cells_.at(variable);
    if (!cell.written) continue;
    const auto& symbol = static_cast<const GraphSymbol&>(*cell.current.symbol());
    updates.push_back({cell.input, symbol.value()});
  }
  return updates;
}

absl::StatusOr<TracedGraph> TraceInterpreter::Finish(
    absl::Span<const std::pair<std::string, Tensor>> outputs) {
  if (identity_->interpreter() == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("the trace '", name(), "' is finished"));
  }
  std::vector<ValueId> ids;
  for (const auto& [output, tensor] : outputs) {
    TANDEM_ASSIGN_OR_RETURN(
        const ValueId id,
        ValueOf(tensor, absl::StrCat("trace '", name(), "': output '", output, "'")));
    ids.push_back(id);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(traced_.graph.AddOutput(outputs[i].first, ids[i]));
  }
  for (const StateUpdate& update : updates()) {
    TANDEM_RETURN_IF_ERROR(traced_.graph.AddUpdate(update.input, update.value));
  }
  identity_->Finish();
  return std::move(traced_);
}

}  // namespace tandem
