#include "tandem/graph/compile/gradient_trace.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/autograd/tape.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/graph/compile/extract.h"

namespace tandem {
namespace {

// A tape that turns tensors from outside into symbols before it looks at them: what they were
// computed from is recorded by the tape outside, not by this one.
class TracingTape : public TapeInterpreter {
 public:
  explicit TracingTape(TraceInterpreter& trace) : TapeInterpreter(trace), trace_(trace) {}

  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override {
    absl::InlinedVector<Tensor, 4> symbols(inputs.begin(), inputs.end());
    for (Tensor& symbol : symbols) {
      if (!symbol.defined() || symbol.is_symbolic()) continue;
      TANDEM_ASSIGN_OR_RETURN(symbol, trace_.Capture(symbol));
    }
    return TapeInterpreter::Invoke(op, symbols, attrs, options);
  }
  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) override {
    return callable.Inline(inputs);
  }

 private:
  TraceInterpreter& trace_;
};

absl::StatusOr<std::vector<Tensor>> AddArguments(TraceInterpreter& trace,
                                                 absl::Span<const Tensor> inputs,
                                                 absl::Span<const std::string> names) {
  std::vector<Tensor> symbols;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(Tensor symbol, trace.AddArgument(ArgumentName(names, i, inputs.size()),
                                                             inputs[i].spec(), inputs[i].device()));
    symbols.push_back(std::move(symbol));
  }
  return symbols;
}

}  // namespace

std::string ArgumentName(absl::Span<const std::string> names, size_t index, size_t count) {
  if (index < names.size()) return names[index];
  return count == 1 ? "data" : absl::StrCat("data", index);
}

std::string OutputName(size_t index, size_t count) {
  return count == 1 ? "output" : absl::StrCat("output", index);
}

absl::StatusOr<TracedGraph> TraceFunction(const std::string& name, const TraceBody& body,
                                          absl::Span<const Tensor> inputs,
                                          absl::Span<const std::string> input_names) {
  TraceInterpreter trace(name);
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> symbols,
                          AddArguments(trace, inputs, input_names));
  absl::StatusOr<TensorList> outputs;
  {
    InterpreterScope scope(trace);
    outputs = body(symbols);
  }
  if (!outputs.ok()) return outputs.status();
  std::vector<std::pair<std::string, Tensor>> named;
  for (size_t i = 0; i < outputs->size(); ++i) {
    named.push_back({OutputName(i, outputs->size()), (*outputs)[i]});
  }
  return trace.Finish(named);
}

absl::StatusOr<std::unique_ptr<GradientTrace>> GradientTrace::Create(
    const std::string& name, const TraceBody& body, absl::Span<const Tensor> inputs,
    absl::Span<const std::string> input_names) {
  auto result = std::unique_ptr<GradientTrace>(new GradientTrace(name));
  TANDEM_RETURN_IF_ERROR(result->Trace(body, inputs, input_names));
  // Symbols that the body kept must not add to the graph.
  result->trace_.Close();
  TANDEM_RETURN_IF_ERROR(result->MakeForward());
  return result;
}

ValueId GradientTrace::IdOf(const Tensor& symbol) const {
  return static_cast<const GraphSymbol&>(*symbol.symbol()).value();
}

absl::Status GradientTrace::Trace(const TraceBody& body, absl::Span<const Tensor> inputs,
                                  absl::Span<const std::string> input_names) {
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> symbols,
                          AddArguments(trace_, inputs, input_names));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (RequiresGrad(inputs[i])) TANDEM_RETURN_IF_ERROR(AttachGrad(symbols[i]));
  }
  absl::StatusOr<TensorList> outputs;
  {
    TracingTape tape(trace_);
    InterpreterScope scope(tape);
    outputs = body(symbols);
  }
  if (!outputs.ok()) return outputs.status();
  for (size_t i = 0; i < outputs->size(); ++i) {
    Tensor& output = (*outputs)[i];
    const std::string what =
        absl::StrCat("trace '", trace_.name(), "': output '", OutputName(i, outputs->size()), "'");
    TANDEM_ASSIGN_OR_RETURN(const ValueId id, trace_.ValueOf(output, what));
    output_ids_.push_back(id);
    if (!output.is_symbolic()) {
      TANDEM_ASSIGN_OR_RETURN(output, trace_.Capture(output));
    }
    recorded_.push_back(RequiresGrad(output));
    outputs_.push_back(output);
  }
  updates_ = trace_.updates();
  num_inputs_ = trace_.graph().inputs().size();
  num_nodes_ = trace_.graph().nodes().size();
  output_grads_.resize(outputs_.size());

  bool any_leaf = false;
  for (const InputBinding& binding : trace_.bindings()) {
    Tensor leaf;
    switch (binding.kind) {
      case InputKind::kArgument:
        leaf = symbols[binding.argument];
        break;
      case InputKind::kParameter:
      case InputKind::kState:
        // Any tensor with the variable's meta stands for its leaf.
        leaf = binding.variable->Get();
        break;
      case InputKind::kCapture: {
        TANDEM_ASSIGN_OR_RETURN(leaf, trace_.Capture(binding.tensor));
        break;
      }
      case InputKind::kRandomState:
        break;
    }
    if (leaf.defined() && !RequiresGrad(leaf)) leaf = Tensor();
    wants_.push_back(leaf.defined());
    any_leaf = any_leaf || leaf.defined();
    leaves_.push_back(std::move(leaf));
  }
  const bool any_output = std::find(recorded_.begin(), recorded_.end(), true) != recorded_.end();
  differentiable_ = any_leaf && any_output;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Tensor>> GradientTrace::Differentiate(const std::vector<bool>& defined,
                                                                 const std::vector<bool>& wanted) {
  std::vector<Tensor> heads;
  std::vector<Tensor> head_grads;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (!defined[i] || !recorded_[i]) continue;
    if (!output_grads_[i].defined()) {
      TANDEM_ASSIGN_OR_RETURN(
          output_grads_[i],
          trace_.AddArgument(absl::StrCat("grad of ", OutputName(i, outputs_.size())),
                             outputs_[i].spec()));
    }
    heads.push_back(outputs_[i]);
    head_grads.push_back(output_grads_[i]);
  }
  std::vector<Tensor> inputs;
  std::vector<size_t> positions;
  for (size_t i = 0; i < num_inputs_; ++i) {
    if (!wanted[i] || !leaves_[i].defined()) continue;
    inputs.push_back(leaves_[i]);
    positions.push_back(i);
  }
  std::vector<Tensor> grads(num_inputs_);
  if (heads.empty() || inputs.empty()) return grads;
  const TraceInterpreter::OpenScope open(trace_);
  InterpreterScope scope(trace_);
  // The tape is kept: other gradients may be asked for later.
  TANDEM_ASSIGN_OR_RETURN(std::vector<Tensor> found,
                          Grad(heads, head_grads, inputs, {.retain_graph = true}));
  for (size_t i = 0; i < positions.size(); ++i) grads[positions[i]] = std::move(found[i]);
  return grads;
}

std::vector<ValueId> GradientTrace::ChooseResiduals(absl::Span<const Tensor> grads) const {
  const Graph& graph = trace_.graph();
  std::vector<bool> seen(graph.values().size(), false);
  std::vector<ValueId> stack;
  auto need = [&](ValueId value) {
    if (!seen[value]) {
      seen[value] = true;
      stack.push_back(value);
    }
  };
  for (const Tensor& grad : grads) {
    if (grad.defined()) need(IdOf(grad));
  }
  std::vector<ValueId> residuals;
  while (!stack.empty()) {
    const ValueId value = stack.back();
    stack.pop_back();
    const int32_t index = graph.values()[value].node;
    if (index < 0) continue;  // inputs and constants are there anyway
    const Node& node = graph.nodes()[index];
    // A view is made again from what it shows, as eager mode keeps it: it costs nothing, and its
    // readers see the same strides.
    const bool again = static_cast<size_t>(index) >= num_nodes_ || node.inputs.empty() ||
                       static_cast<bool>(node.op->view);
    if (again) {
      for (const ValueId input : node.inputs) need(input);
    } else {
      residuals.push_back(value);
    }
  }
  std::sort(residuals.begin(), residuals.end());
  return residuals;
}

absl::Status GradientTrace::MakeForward() {
  std::vector<Tensor> grads;
  if (differentiable_) {
    TANDEM_ASSIGN_OR_RETURN(grads, Differentiate(recorded_, wants_));
    residuals_ = ChooseResiduals(grads);
  }
  ExtractRequest request;
  request.name = trace_.name();
  for (size_t i = 0; i < num_inputs_; ++i) {
    const GraphInput& input = trace_.graph().inputs()[i];
    request.inputs.push_back({input.value, input.name, input.kind});
  }
  absl::flat_hash_map<ValueId, int> output_of;
  for (size_t i = 0; i < output_ids_.size(); ++i) {
    request.outputs.push_back({OutputName(i, output_ids_.size()), output_ids_[i]});
    output_of.emplace(output_ids_[i], static_cast<int>(i));
  }
  request.updates = updates_;
  TANDEM_ASSIGN_OR_RETURN(Extract plain, ExtractGraph(trace_.graph(), request));
  plain.graph.set_random_blocks(trace_.graph().random_blocks());
  traced_.graph = std::move(plain.graph);
  traced_.bindings.assign(trace_.bindings().begin(), trace_.bindings().begin() + num_inputs_);
  traced_.device = trace_.device();

  for (size_t i = 0; i < residuals_.size(); ++i) {
    const auto [it, added] =
        output_of.emplace(residuals_[i], static_cast<int>(request.outputs.size()));
    residual_outputs_.push_back(it->second);
    if (added) request.outputs.push_back({absl::StrCat("residual", i), residuals_[i]});
  }
  TANDEM_ASSIGN_OR_RETURN(Extract forward, ExtractGraph(trace_.graph(), request));
  forward.graph.set_random_blocks(trace_.graph().random_blocks());
  forward_ = std::move(forward.graph);
  return absl::OkStatus();
}

absl::StatusOr<BackwardGraph> GradientTrace::Backward(const std::vector<bool>& defined,
                                                      const std::vector<bool>& wanted) {
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> grads, Differentiate(defined, wanted));
  return Cut(grads);
}

absl::StatusOr<BackwardGraph> GradientTrace::Cut(absl::Span<const Tensor> grads) const {
  BackwardGraph result;
  ExtractRequest request;
  request.name = absl::StrCat(trace_.name(), "_backward");
  request.keep_inputs = false;
  std::vector<BackwardInput> sources;
  using Source = BackwardInput::Source;
  for (size_t i = 0; i < num_inputs_; ++i) {
    const GraphInput& input = trace_.graph().inputs()[i];
    request.inputs.push_back({input.value, input.name, input.kind});
    sources.push_back({Source::kGraphInput, static_cast<int>(i)});
  }
  for (size_t i = 0; i < residuals_.size(); ++i) {
    request.inputs.push_back({residuals_[i], absl::StrCat("residual ", i), InputKind::kArgument});
    sources.push_back({Source::kResidual, static_cast<int>(i)});
  }
  for (size_t i = 0; i < output_grads_.size(); ++i) {
    if (!output_grads_[i].defined()) continue;
    request.inputs.push_back({IdOf(output_grads_[i]),
                              absl::StrCat("grad of ", OutputName(i, output_grads_.size())),
                              InputKind::kArgument});
    sources.push_back({Source::kOutputGrad, static_cast<int>(i)});
  }
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined()) {
      result.grads.push_back(-1);
      continue;
    }
    result.grads.push_back(static_cast<int>(request.outputs.size()));
    request.outputs.push_back(
        {absl::StrCat("grad of ", trace_.graph().inputs()[i].name), IdOf(grads[i])});
  }
  TANDEM_ASSIGN_OR_RETURN(Extract extract, ExtractGraph(trace_.graph(), request));
  result.graph = std::move(extract.graph);
  for (const int index : extract.inputs) result.inputs.push_back(sources[index]);
  return result;
}

}  // namespace tandem
