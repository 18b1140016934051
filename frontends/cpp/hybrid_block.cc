#include "tandem/frontends/cpp/hybrid_block.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/frontends/cpp/model_file.h"
#include "tandem/graph/ir/dot.h"
#include "tandem/graph/ir/text.h"
#include "tandem/graph/trace/graph_builder.h"

namespace tandem {

const Tensor& Params::operator[](absl::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return value;
  }
  throw Error(absl::NotFoundError(
      absl::StrCat("no parameter '", name, "' was declared in this block; there are: ",
                   absl::StrJoin(values_, ", ", [](std::string* out, const auto& entry) {
                     absl::StrAppend(out, entry.first);
                   }))));
}

bool Params::contains(absl::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return true;
  }
  return false;
}

HybridBlock::HybridBlock() = default;
HybridBlock::~HybridBlock() = default;

// The compiled function refers to the block's old place, so it stays behind.
HybridBlock::HybridBlock(HybridBlock&& other) noexcept
    : Block(std::move(other)), options_(other.options_) {}

// --- forward -------------------------------------------------------------------------------------

Tensor HybridBlock::HybridForward(const Tensor& x, const Params& p) { return Forward(x); }

TensorList HybridBlock::HybridForwardAll(const TensorList& inputs, const Params& p) {
  if (inputs.size() != 1) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat(type_name(), " '", name(), "' takes one input, it was given ", inputs.size(),
                     "; a block with several overrides HybridForwardAll")));
  }
  return {HybridForward(inputs[0], p)};
}

Params HybridBlock::ReadParams() const {
  Params params;
  for (const ParameterPtr& parameter : parameters()) {
    params.values_.push_back({parameter->local_name(), parameter->Data()});
  }
  return params;
}

TensorList HybridBlock::ForwardAll(const TensorList& inputs) {
  return HybridForwardAll(inputs, ReadParams());
}

TensorList HybridBlock::Run(const TensorList& inputs) {
  TensorList outputs;
  if (options_.active && !Summarizing()) {
    // Held: the function must outlive the call, also if another thread replaces it.
    const Ref<HybridFunction> function = CurrentFunction();
    outputs = Value(Call(*function, inputs));
  } else {
    outputs = RunForward(inputs);
  }
  // Only what worked: an export must not trace what failed.
  RememberInputs(inputs);
  return outputs;
}

void HybridBlock::RememberInputs(const TensorList& inputs) {
  LightMutexLock lock(&mutex_);
  bool same = last_inputs_.size() == inputs.size() && last_device_ != nullptr;
  for (size_t i = 0; same && i < inputs.size(); ++i) same = last_inputs_[i] == inputs[i].spec();
  if (same || inputs.empty() || inputs[0].device() == nullptr) return;
  last_inputs_.clear();
  for (const Tensor& input : inputs) last_inputs_.push_back(input.spec());
  last_device_ = inputs[0].device();
}

// --- compiling -----------------------------------------------------------------------------------

void HybridBlock::Hybridize(const HybridizeOptions& options) {
  Block::Hybridize(options);
  options_ = options;
  LightMutexLock lock(&mutex_);
  function_ = nullptr;
}

Ref<HybridFunction> HybridBlock::CurrentFunction() {
  LightMutexLock lock(&mutex_);
  const int64_t version = identity().version();
  if (function_ && function_version_ == version) return function_;
  auto body = [this](absl::Span<const Tensor> inputs) -> absl::StatusOr<TensorList> {
    TensorList outputs;
    const absl::Status status =
        CatchExceptions([&] { outputs = RunForward(TensorList(inputs.begin(), inputs.end())); });
    if (!status.ok()) return status;
    return outputs;
  };
  function_ = Value(HybridFunction::Create(name(), std::move(body), options_.ToHybridOptions()));
  function_version_ = version;
  return function_;
}

Ref<HybridFunction> HybridBlock::function() const {
  LightMutexLock lock(&mutex_);
  return function_;
}

absl::Status HybridBlock::CheckChild(absl::string_view name, const Block& child) const {
  if (child.is_hybrid()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      type_name(), " is a HybridBlock and takes only HybridBlocks, but its child '", name, "' is ",
      child.type_name(), ", a plain Block that cannot be compiled. Derive ", child.type_name(),
      " from HybridBlock, or ", type_name(), " from Block"));
}

std::string HybridBlock::Explain() const {
  const Ref<HybridFunction> compiled = function();
  if (!compiled) {
    throw Error(absl::FailedPreconditionError(
        absl::StrCat(type_name(), " '", name(),
                     "' was not compiled yet; call Hybridize() and run "
                     "it once")));
  }
  return compiled->Explain().ToText();
}

void HybridBlock::Verify(const TensorList& inputs) {
  const BlockScope scope(identity().Local());
  Check(CurrentFunction()->Verify(inputs));
}

TracedGraph HybridBlock::Trace(const std::vector<std::string>& names) {
  SpecList specs;
  Device* device = nullptr;
  {
    LightMutexLock lock(&mutex_);
    specs = last_inputs_;
    device = last_device_;
  }
  if (device == nullptr) {
    throw Error(absl::FailedPreconditionError(
        absl::StrCat(type_name(), " '", name(),
                     "' has no graph before a forward, which tells the "
                     "shapes: call it once with an input, then export or print it")));
  }
  GraphBuilder builder(name(), device);
  TensorList inputs;
  for (size_t i = 0; i < specs.size(); ++i) {
    std::string input_name = specs.size() == 1 ? "data" : absl::StrCat("data", i);
    if (i < names.size()) input_name = names[i];
    inputs.push_back(Value(builder.Input(input_name, specs[i])));
  }
  TensorList outputs;
  {
    const TrainingScope inference(false);
    const InterpreterScope recording(builder.interpreter());
    const BlockScope scope(identity().Local());
    outputs = RunForward(inputs);
  }
  std::vector<std::pair<std::string, Tensor>> named;
  for (size_t i = 0; i < outputs.size(); ++i) {
    named.push_back({outputs.size() == 1 ? "output" : absl::StrCat("output", i), outputs[i]});
  }
  return Value(builder.Finish(named));
}

std::string HybridBlock::GraphText() { return PrintGraph(Trace().graph); }
std::string HybridBlock::GraphDot() { return GraphToDot(Trace().graph); }

void HybridBlock::Export(const std::string& prefix, int epoch, const ExportOptions& options) {
  Check(internal::WriteModel(*this, Trace(options.input_names), prefix, epoch, options));
}

}  // namespace tandem
