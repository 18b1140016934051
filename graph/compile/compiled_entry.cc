#include "tandem/graph/compile/compiled_entry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/graph/compile/trace_check.h"
#include "tandem/graph/exec/input_range.h"

namespace tandem {

absl::StatusOr<Ref<CompiledEntry>> CompiledEntry::Compile(const std::string& name,
                                                          const TraceBody& body, CompileKey key,
                                                          absl::Span<const Tensor> inputs,
                                                          const HybridOptions& options,
                                                          std::string reason) {
  auto entry = MakeRef<CompiledEntry>(std::move(key));
  entry->options_ = options;
  entry->record_ = MakeRef<EntryRecord>(entry->key_.ToString(), std::move(reason));
  TracedGraph again;
  if (entry->key_.gradient) {
    TANDEM_ASSIGN_OR_RETURN(entry->gradient_,
                            GradientTrace::Create(name, body, inputs, options.input_names));
    entry->traced_ = entry->gradient_->traced();
    if (options.check_trace) {
      TANDEM_ASSIGN_OR_RETURN(const auto second,
                              GradientTrace::Create(name, body, inputs, options.input_names));
      again = second->traced();
    }
  } else {
    TANDEM_ASSIGN_OR_RETURN(entry->traced_, TraceFunction(name, body, inputs, options.input_names));
    if (options.check_trace) {
      TANDEM_ASSIGN_OR_RETURN(again, TraceFunction(name, body, inputs, options.input_names));
    }
  }
  if (options.check_trace) {
    const std::string difference = FirstDifference(entry->traced_, again);
    if (!difference.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("two traces of '", name, "' differ: ", difference,
                       "; what changes from call to call must be an argument or a variable"));
    }
  }
  Device* const device = entry->traced_.device;
  if (device == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' has no inputs, and no op that says which device to run on"));
  }
  for (size_t i = 0; i < entry->traced_.bindings.size(); ++i) {
    const InputBinding& binding = entry->traced_.bindings[i];
    Tensor tensor = binding.tensor;
    if (binding.kind == InputKind::kArgument) tensor = inputs[binding.argument];
    if (binding.variable != nullptr) tensor = binding.variable->Get();
    const Graph& graph = entry->traced_.graph;
    entry->layouts_.push_back(tensor.defined()
                                  ? InputRange::Of(tensor.layout(), device->info().alignment).layout
                                  : TensorLayout::Contiguous(graph.spec(graph.inputs()[i].value)));
  }
  const bool with_residuals = entry->gradient_ != nullptr && entry->gradient_->differentiable();
  TANDEM_ASSIGN_OR_RETURN(
      entry->forward_,
      CompileProgram(with_residuals ? "forward with residuals" : "forward",
                     with_residuals ? entry->gradient_->forward() : entry->traced_.graph, *device,
                     options, entry->layouts_));
  entry->record_->Add(entry->forward_.explanation);
  entry->arguments_only_ = true;
  for (size_t i = 0; i < entry->traced_.bindings.size(); ++i) {
    const InputBinding& binding = entry->traced_.bindings[i];
    if (binding.kind == InputKind::kRandomState) entry->arguments_only_ = false;
    if (binding.kind != InputKind::kArgument && binding.kind != InputKind::kRandomState) continue;
    entry->arguments_only_ &= binding.argument == static_cast<int>(entry->open_.size());
    entry->open_.push_back(i);
  }
  entry->arguments_only_ &= entry->open_.size() == inputs.size();
  if (entry->gradient_ == nullptr && entry->traced_.graph.updates().empty()) {
    entry->weights_ = MakeRef<WeightBinding>();
  }
  if (with_residuals) {
    // The usual backward graph is made now, so that its errors come with the first call. It is
    // compiled when the layouts of the output gradients are known.
    absl::MutexLock lock(&entry->mutex_);
    TANDEM_RETURN_IF_ERROR(
        entry->BackwardFor(entry->gradient_->output_recorded(), entry->gradient_->wants())
            .status());
  }
  return entry;
}

CompiledEntry::~CompiledEntry() {
  if (weights_ == nullptr) return;
  for (const InputBinding& binding : traced_.bindings) {
    if (binding.variable != nullptr) binding.variable->Forget(*weights_);
  }
}

absl::Status CompiledEntry::GatherWeights(Feed& feed, std::string* stale) const {
  const Graph& graph = traced_.graph;
  feed.resize(traced_.bindings.size());
  for (size_t i = 0; i < traced_.bindings.size(); ++i) {
    const InputBinding& binding = traced_.bindings[i];
    if (binding.kind == InputKind::kCapture) feed[i] = binding.tensor;
    if (binding.variable == nullptr) continue;
    Tensor value = binding.variable->Get();
    if (!value.defined()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "'", binding.variable->name(), "' has no value; initialize it before the call"));
    }
    const TensorSpec& spec = graph.spec(graph.inputs()[i].value);
    if (value.layout() == layouts_[i] && value.device() == traced_.device) [[likely]] {
      // As it was.
    } else if (value.spec() != spec || value.device() != traced_.device) {
      *stale = absl::StrCat("variable '", binding.variable->name(), "' is ", value.Describe(),
                            " now, was ", spec.ToString(), " ", traced_.device->id().ToString());
    } else if (InputRange::Of(value.layout(), traced_.device->info().alignment).layout !=
               layouts_[i]) {
      *stale = absl::StrCat("variable '", binding.variable->name(),
                            "' lies otherwise in memory than before");
    }
    if (gradient_ != nullptr && RequiresGrad(value) && !gradient_->wants()[i]) {
      *stale = absl::StrCat("variable '", binding.variable->name(),
                            "' wants a gradient now, and did not");
    }
    if (!stale->empty()) return absl::AbortedError(*stale);
    feed[i] = std::move(value);
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> CompiledEntry::GatherOpen(absl::Span<const Tensor> inputs,
                                                 size_t input) const {
  const InputBinding& binding = traced_.bindings[input];
  if (binding.kind == InputKind::kArgument) return inputs[binding.argument];
  TANDEM_ASSIGN_OR_RETURN(RandomState state, EagerInterpreter().NextRandom(
                                                 *traced_.device, traced_.graph.random_blocks()));
  return std::move(state.state);
}

absl::StatusOr<Ref<const BoundInputs>> CompiledEntry::BindWeights(std::string* stale) const {
  const int64_t generation = weights_->generation();
  for (const InputBinding& binding : traced_.bindings) {
    if (binding.variable != nullptr) binding.variable->Observe(*weights_);
  }
  Feed feed;
  TANDEM_RETURN_IF_ERROR(GatherWeights(feed, stale));
  TANDEM_ASSIGN_OR_RETURN(Ref<const BoundInputs> bound, forward_.executable->Bind(feed));
  weights_->Publish(bound, generation);
  return bound;
}

absl::StatusOr<RunResult> CompiledEntry::Execute(absl::Span<const Tensor> inputs, Feed& feed,
                                                 std::string* stale) const {
  TANDEM_RETURN_IF_ERROR(GatherWeights(feed, stale));
  for (const size_t input : open_) {
    TANDEM_ASSIGN_OR_RETURN(feed[input], GatherOpen(inputs, input));
  }
  TANDEM_ASSIGN_OR_RETURN(RunResult result, forward_.executable->Run(feed));
  const auto& updates = traced_.graph.updates();
  for (size_t i = 0; i < updates.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(traced_.bindings[updates[i].input].variable->Set(result.updates[i]));
  }
  return result;
}

absl::StatusOr<TensorList> CompiledEntry::Run(absl::Span<const Tensor> inputs,
                                              std::string* stale) const {
  Feed feed;
  if (weights_ == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(RunResult result, Execute(inputs, feed, stale));
    return std::move(result.outputs);
  }
  Ref<const BoundInputs> weights = weights_->Get();
  if (weights == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(weights, BindWeights(stale));
  }
  if (!arguments_only_) {
    for (const size_t input : open_) {
      TANDEM_ASSIGN_OR_RETURN(Tensor tensor, GatherOpen(inputs, input));
      feed.push_back(std::move(tensor));
    }
    inputs = feed;
  }
  TANDEM_ASSIGN_OR_RETURN(RunResult result, forward_.executable->Run(*weights, inputs));
  return std::move(result.outputs);
}

absl::StatusOr<DifferentiableRun> CompiledEntry::RunForGradient(absl::Span<const Tensor> inputs,
                                                                std::string* stale) {
  Feed feed;
  TANDEM_ASSIGN_OR_RETURN(RunResult result, Execute(inputs, feed, stale));
  DifferentiableRun run;
  const size_t num_outputs = traced_.graph.outputs().size();
  run.outputs.assign(result.outputs.begin(), result.outputs.begin() + num_outputs);
  run.inputs.assign(inputs.begin(), inputs.end());
  if (!gradient_->differentiable()) return run;

  // positions[i]: the graph input that run.inputs[i] is.
  std::vector<size_t> positions(inputs.size());
  for (size_t i = 0; i < traced_.bindings.size(); ++i) {
    const InputBinding& binding = traced_.bindings[i];
    if (binding.kind == InputKind::kArgument) {
      positions[binding.argument] = i;
    } else if (gradient_->wants()[i]) {
      positions.push_back(i);
      run.inputs.push_back(feed[i]);
    }
  }
  std::vector<Tensor> residuals;
  for (const int output : gradient_->residual_outputs()) {
    // An output gets the tape hung on it, which must not own itself.
    const Tensor& residual = result.outputs[output];
    residuals.push_back(static_cast<size_t>(output) < num_outputs ? Detach(residual) : residual);
  }
  run.backward = [entry = RefFrom(this), feed = std::vector<Tensor>(feed.begin(), feed.end()),
                  residuals = std::move(residuals), positions = std::move(positions)](
                     absl::Span<const Tensor> output_grads,
                     const std::vector<bool>& wanted) -> absl::StatusOr<std::vector<Tensor>> {
    std::vector<bool> wanted_inputs(feed.size(), false);
    for (size_t i = 0; i < positions.size(); ++i) {
      wanted_inputs[positions[i]] = i < wanted.size() ? bool{wanted[i]} : true;
    }
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> grads,
                            entry->RunBackward(feed, residuals, output_grads, wanted_inputs));
    std::vector<Tensor> result;
    for (const size_t position : positions) result.push_back(grads[position]);
    return result;
  };
  return run;
}

absl::StatusOr<const BackwardGraph*> CompiledEntry::BackwardFor(const std::vector<bool>& defined,
                                                                const std::vector<bool>& wanted) {
  std::unique_ptr<const BackwardGraph>& known = backwards_[{defined, wanted}];
  if (known == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(BackwardGraph graph, gradient_->Backward(defined, wanted));
    known = std::make_unique<const BackwardGraph>(std::move(graph));
  }
  return known.get();
}

absl::StatusOr<Ref<Executable>> CompiledEntry::BackwardExecutable(const BackwardGraph& backward,
                                                                  absl::Span<const Tensor> inputs) {
  const int64_t alignment = traced_.device->info().alignment;
  // Two for each input: none for a contiguous one; else its strides, and where it starts.
  std::vector<Dims> key(2 * inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || inputs[i].is_contiguous()) continue;
    const TensorLayout layout = InputRange::Of(inputs[i].layout(), alignment).layout;
    key[2 * i] = layout.strides;
    key[2 * i + 1] = {layout.offset};
  }
  const auto known =
      std::find_if(programs_.begin(), programs_.end(), [&](const BackwardProgram& program) {
        return program.graph == &backward && program.layouts == key;
      });
  if (known != programs_.end()) {
    programs_.splice(programs_.begin(), programs_, known);
    return known->executable;
  }
  std::vector<TensorLayout> layouts;
  for (const Tensor& input : inputs) {
    layouts.push_back(InputRange::Of(input.layout(), alignment).layout);
  }
  TANDEM_ASSIGN_OR_RETURN(
      CompiledProgram program,
      CompileProgram("backward", backward.graph, *traced_.device, options_, std::move(layouts)));
  record_->Add(std::move(program.explanation));
  if (programs_.size() == kMaxBackwardPrograms) programs_.pop_back();
  programs_.push_front({&backward, std::move(key), std::move(program.executable)});
  int64_t bytes = 0;
  for (const BackwardProgram& kept : programs_) bytes += kept.executable->bytes();
  backward_bytes_.store(bytes, std::memory_order_relaxed);
  return programs_.front().executable;
}

absl::StatusOr<std::vector<Tensor>> CompiledEntry::RunBackward(
    absl::Span<const Tensor> feed, absl::Span<const Tensor> residuals,
    absl::Span<const Tensor> output_grads, const std::vector<bool>& wanted) {
  const size_t num_outputs = traced_.graph.outputs().size();
  if (output_grads.size() != num_outputs) {
    return absl::InvalidArgumentError(absl::StrCat("'", traced_.graph.name(), "' has ", num_outputs,
                                                   " outputs, but ", output_grads.size(),
                                                   " gradients were given"));
  }
  std::vector<bool> defined(num_outputs, false);
  for (size_t i = 0; i < num_outputs; ++i) {
    defined[i] = output_grads[i].defined() && gradient_->output_recorded()[i];
  }
  std::vector<bool> needed(wanted.size(), false);
  for (size_t i = 0; i < wanted.size(); ++i) needed[i] = wanted[i] && gradient_->wants()[i];
  const BackwardGraph* backward;
  {
    absl::MutexLock lock(&mutex_);
    TANDEM_ASSIGN_OR_RETURN(backward, BackwardFor(defined, needed));
  }
  std::vector<Tensor> grads(wanted.size());
  if (backward->graph.outputs().empty()) return grads;
  Feed tensors;
  for (const BackwardInput& input : backward->inputs) {
    switch (input.source) {
      case BackwardInput::Source::kGraphInput:
        tensors.push_back(feed[input.index]);
        break;
      case BackwardInput::Source::kResidual:
        tensors.push_back(residuals[input.index]);
        break;
      case BackwardInput::Source::kOutputGrad:
        tensors.push_back(output_grads[input.index]);
        break;
    }
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].defined() || tensors[i].is_symbolic()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the backward pass of '", traced_.graph.name(), "' was given ",
                       tensors[i].Describe(), ", which has no values"));
    }
  }
  Ref<Executable> executable;
  const int64_t before = bytes();
  {
    absl::MutexLock lock(&mutex_);
    TANDEM_ASSIGN_OR_RETURN(executable, BackwardExecutable(*backward, tensors));
  }
  if (bytes() != before && on_resize_) on_resize_(*this);
  TANDEM_ASSIGN_OR_RETURN(RunResult result, executable->Run(tensors));
  for (size_t i = 0; i < grads.size(); ++i) {
    if (backward->grads[i] >= 0) grads[i] = std::move(result.outputs[backward->grads[i]]);
  }
  return grads;
}

}  // namespace tandem
