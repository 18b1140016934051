#include "tandem/frontends/cpp/optim/trainer.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/frontends/cpp/array.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"
#include "tandem/frontends/cpp/parameter_file.h"

namespace tandem {
namespace {

constexpr char kStepsName[] = "steps";
// The first inputs of an update: 1 / batch size, then the optimizer's scalars, then the gradients.
constexpr size_t kRescale = 0;
// A few sets of parameters alternate at most, where gradients are missing now and then.
constexpr size_t kMaxPrograms = 8;

Tensor AsDType(const Tensor& x, DType dtype) { return x.dtype() == dtype ? x : Cast(x, dtype); }

}  // namespace

struct Trainer::Slot {
  ParameterPtr parameter;
  std::vector<Ref<Variable>> state;
  int64_t used_generation = 0;  // of the gradient (GradGeneration)
};

// The update of some of the parameters.
struct Trainer::Program {
  std::vector<int> slots;
  // The constants that were compiled: lr_mult and wd_mult of each parameter, decay, clip.
  std::vector<double> constants;
  Ref<HybridFunction> function;
};

Trainer::Trainer(const ParameterList& parameters, std::unique_ptr<Optimizer> optimizer,
                 TrainerOptions options)
    : options_(options), optimizer_(std::move(optimizer)) {
  if (optimizer_ == nullptr) throw Error(absl::InvalidArgumentError("Trainer: no optimizer"));
  std::vector<std::string> uninitialized;
  for (const ParameterPtr& parameter : parameters) {
    if (parameter->grad_req() == GradRequest::kNone) continue;
    if (!parameter->initialized() && !parameter->deferred()) {
      uninitialized.push_back(parameter->name());
    }
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->parameter = parameter;
  }
  if (!uninitialized.empty()) {
    throw Error(absl::FailedPreconditionError(
        absl::StrCat("Trainer: call Initialize() first, these parameters were not initialized: ",
                     absl::StrJoin(uninitialized, ", "))));
  }
  if (slots_.empty()) {
    throw Error(absl::InvalidArgumentError("Trainer: there is no parameter to train"));
  }
}

Trainer::~Trainer() = default;

void Trainer::MakeStates(Slot& slot) {
  const std::vector<std::string> names = optimizer_->state_names();
  const Tensor weight = slot.parameter->variable().Get();
  for (const Ref<Variable>& state : slot.state) {
    // The parameter has moved (Block::MoveTo).
    const Tensor value = state->Get();
    if (value.device() == weight.device()) continue;
    Check(state->Set(Value(CopyToDevice(value, *weight.device()))));
  }
  for (size_t i = slot.state.size(); i < names.size(); ++i) {
    auto variable = MakeRef<Variable>(absl::StrCat(slot.parameter->name(), ".", names[i]));
    Check(variable->Set(ZerosLike(weight)));
    slot.state.push_back(std::move(variable));
  }
}

void Trainer::Step(int64_t batch_size, bool ignore_stale_grad) {
  if (batch_size < 1) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("Trainer::Step: the batch size must be at least 1, it is ", batch_size)));
  }
  std::vector<int> fresh;
  std::vector<std::string> stale;
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = *slots_[i];
    const bool has_gradient = slot.parameter->initialized() &&
                              GradOf(slot.parameter->variable()).defined() &&
                              GradGeneration(slot.parameter->variable()) != slot.used_generation;
    if (has_gradient) {
      fresh.push_back(static_cast<int>(i));
    } else {
      stale.push_back(slot.parameter->name());
    }
  }
  if (!stale.empty() && !ignore_stale_grad) {
    throw Error(absl::FailedPreconditionError(absl::StrCat(
        "Trainer::Step: no new gradient since the last step for ", absl::StrJoin(stale, ", "),
        ". Every trained parameter must take part in the recorded forward; run Backward before "
        "Step, or pass ignore_stale_grad")));
  }
  if (fresh.empty()) return;

  const InterpreterScope eager(EagerInterpreter());
  const TrainingScope inference(false);
  const std::vector<double> scalars = optimizer_->Scalars(steps_);
  std::vector<Tensor> inputs;
  inputs.reserve(1 + scalars.size() + fresh.size());
  Device* const device = slots_[fresh[0]]->parameter->variable().Get().device();
  inputs.push_back(ScalarArray(static_cast<float>(1.0 / static_cast<double>(batch_size)), device));
  for (double scalar : scalars) inputs.push_back(ScalarArray(static_cast<float>(scalar), device));
  for (int i : fresh) {
    MakeStates(*slots_[i]);
    inputs.push_back(GradOf(slots_[i]->parameter->variable()));
  }
  if (options_.hybridize) {
    Value(ProgramFor(fresh).function->Run(inputs));
  } else {
    Value(Update(inputs, fresh, scalars.size()));
  }
  for (int i : fresh) {
    slots_[i]->used_generation = GradGeneration(slots_[i]->parameter->variable());
  }
  ++steps_;
}

absl::StatusOr<TensorList> Trainer::Update(absl::Span<const Tensor> inputs,
                                           const std::vector<int>& slots,
                                           size_t num_scalars) const {
  const absl::Status status = CatchExceptions([&] {
    const double clip = optimizer_->common().clip_gradient;
    for (size_t i = 0; i < slots.size(); ++i) {
      const Slot& slot = *slots_[slots[i]];
      const Parameter& parameter = *slot.parameter;
      UpdateInput input;
      input.weight = Value(ReadVariable(parameter.variable()));
      const DType dtype = input.weight.dtype();
      for (size_t s = 0; s < num_scalars; ++s) {
        Tensor scalar = inputs[1 + s];
        if (s == 0 && parameter.lr_mult() != 1.0) scalar *= parameter.lr_mult();
        input.scalars.push_back(AsDType(scalar, dtype));
      }
      input.grad = inputs[1 + num_scalars + i] * AsDType(inputs[kRescale], dtype);
      if (clip > 0) input.grad = Clip(input.grad, -clip, clip);
      input.weight_decay = optimizer_->common().weight_decay * parameter.wd_mult();
      for (const Ref<Variable>& state : slot.state) {
        input.state.push_back(Value(ReadVariable(*state)));
      }
      const UpdateOutput output = optimizer_->Update(input);
      Check(WriteVariable(parameter.variable(), output.weight));
      for (size_t s = 0; s < slot.state.size(); ++s) {
        Check(WriteVariable(*slot.state[s], output.state[s]));
      }
    }
  });
  if (!status.ok()) return status;
  return TensorList();
}

Trainer::Program& Trainer::ProgramFor(const std::vector<int>& slots) {
  std::vector<double> constants = {optimizer_->common().weight_decay,
                                   optimizer_->common().clip_gradient};
  for (int i : slots) {
    constants.push_back(slots_[i]->parameter->lr_mult());
    constants.push_back(slots_[i]->parameter->wd_mult());
  }
  for (const auto& program : programs_) {
    if (program->slots == slots && program->constants == constants) return *program;
  }
  if (programs_.size() == kMaxPrograms) programs_.erase(programs_.begin());
  auto program = std::make_unique<Program>();
  program->slots = slots;
  program->constants = std::move(constants);
  HybridOptions options;
  options.static_alloc = true;
  options.static_shape = true;
  const size_t num_scalars = optimizer_->Scalars(steps_).size();
  program->function = Value(HybridFunction::Create(
      absl::StrCat(optimizer_->name(), "_update"),
      [this, slots, num_scalars](absl::Span<const Tensor> inputs) {
        return Update(inputs, slots, num_scalars);
      },
      options));
  programs_.push_back(std::move(program));
  return *programs_.back();
}

std::vector<std::pair<std::string, Ref<Variable>>> Trainer::NamedStates() const {
  std::vector<std::pair<std::string, Ref<Variable>>> states;
  for (const auto& slot : slots_) {
    for (const Ref<Variable>& state : slot->state) states.push_back({state->name(), state});
  }
  return states;
}

void Trainer::SaveStates(const std::string& path) const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  tensors.push_back({kStepsName, ScalarArray<int64_t>(steps_)});
  for (const auto& [name, state] : NamedStates()) tensors.push_back({name, state->Get()});
  Check(internal::WriteParameterFile(path, tensors));
}

void Trainer::LoadStates(const std::string& path) {
  auto tensors = Value(internal::ReadParameterFile(path, DefaultDevice()));
  const auto steps = tensors.find(kStepsName);
  if (steps == tensors.end()) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat(path, " is not a file of SaveStates: it has no '", kStepsName, "'")));
  }
  const int64_t steps_done = Item<int64_t>(steps->second);
  if (steps_done < 0) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat(path, ": the number of steps is negative: ", steps_done)));
  }
  for (const auto& slot : slots_) {
    if (!slot->parameter->initialized()) {
      throw Error(absl::FailedPreconditionError(
          absl::StrCat("LoadStates: parameter '", slot->parameter->name(),
                       "' has no value yet; run a forward or load the parameters first")));
    }
    // Before the first step of the saved trainer there was no state.
    if (steps_done > 0) MakeStates(*slot);
  }
  const auto states =
      steps_done > 0 ? NamedStates() : std::vector<std::pair<std::string, Ref<Variable>>>();
  if (steps_done > 0 && tensors.size() != states.size() + 1) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat(path, " has ", tensors.size() - 1, " tensors, ", optimizer_->name(),
                     " of these parameters has ", states.size(),
                     "; use the optimizer and the network that were saved")));
  }
  for (const auto& [name, state] : states) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.spec() != state->Get().spec()) {
      throw Error(absl::InvalidArgumentError(absl::StrCat(
          path, ": '", name, "' must be ", state->Get().spec().ToString(), ", the file has ",
          found == tensors.end() ? "none" : found->second.spec().ToString())));
    }
  }
  for (const auto& [name, state] : states) {
    Check(state->Set(Value(CopyToDevice(tensors.at(name), *state->Get().device()))));
  }
  if (steps_done == 0) {
    // In place: compiled updates hold these variables.
    for (const auto& [name, state] : NamedStates()) Check(state->Set(ZerosLike(state->Get())));
  }
  steps_ = steps_done;
}

}  // namespace tandem
