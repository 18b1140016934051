#include "tandem/core/autograd/tape.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

std::atomic<int64_t> next_sequence{0};

// A handle to the same elements (or only the spec of them) without autograd's meta.
Tensor Bare(const Tensor& tensor, bool with_values) {
  auto impl = MakeRef<TensorImpl>();
  impl->layout = tensor.layout();
  impl->device = tensor.device();
  impl->symbol = tensor.symbol();
  if (with_values) impl->buffer = tensor.buffer();
  return Tensor(std::move(impl));
}

bool AnyRequiresGrad(absl::Span<const Tensor> tensors) {
  for (const Tensor& tensor : tensors) {
    if (RequiresGrad(tensor)) return true;
  }
  return false;
}

class OpNode : public TapeNode {
 public:
  OpNode(const OpDef& op, const AttributeMap& attrs, absl::Span<const Tensor> inputs,
         absl::Span<const Tensor> outputs, const SourceLocation& location)
      : TapeNode(op.name, inputs), op_(op), attrs_(attrs), location_(location) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool needed = i >= 64 || ((op.vjp_inputs >> i) & 1) != 0;
      inputs_.push_back(needed ? inputs[i] : Bare(inputs[i], false));
    }
    // Outputs point to this node, so it must not own them as they are.
    for (size_t i = 0; i < outputs.size(); ++i) {
      const bool needed = i >= 64 || ((op.vjp_outputs >> i) & 1) != 0;
      outputs_.push_back(Bare(outputs[i], needed));
    }
  }

  absl::StatusOr<std::vector<Tensor>> Backward(absl::Span<const Tensor> grads,
                                               const std::vector<bool>& wanted,
                                               bool create_graph) override {
    if (!op_.vjp) {
      return absl::UnimplementedError(
          absl::StrCat("op ", op_.name, " has no gradient; detach its input if none is wanted"));
    }
    uint64_t mask = 0;
    for (size_t i = 0; i < wanted.size() && i < 64; ++i) mask |= uint64_t{wanted[i]} << i;
    TensorList outputs = outputs_;
    if (create_graph) {
      for (size_t i = 0; i < outputs.size(); ++i) {
        outputs[i] = Bare(outputs[i], true);
        auto meta = MakeRef<GradMeta>();
        meta->node = RefFrom<TapeNode>(this);
        meta->output = static_cast<int>(i);
        outputs[i].impl()->autograd = std::move(meta);
      }
    }
    InterpreterInvoker invoker;
    VjpContext context(attrs_, inputs_, outputs, grads, mask, invoker);
    auto result = op_.vjp(context);
    if (!result.ok()) {
      const std::string line = ToString(location_);
      return Annotate(result.status(),
                      absl::StrCat("gradient of ", op_.name,
                                   line.empty() ? "" : absl::StrCat(", which was called at ", line)));
    }
    return std::vector<Tensor>(result->begin(), result->end());
  }

  void Release() override {
    inputs_.clear();
    outputs_.clear();
    released_ = true;
  }
  bool released() const override { return released_; }

 private:
  const OpDef& op_;
  const AttributeMap attrs_;
  const SourceLocation location_;
  absl::InlinedVector<Tensor, 4> inputs_;
  TensorList outputs_;
  bool released_ = false;
};

class CallNode : public TapeNode {
 public:
  CallNode(std::string name, absl::Span<const Tensor> inputs, BackwardFn backward,
           bool records_backward)
      : TapeNode(std::move(name), inputs),
        backward_(std::move(backward)),
        records_backward_(records_backward) {}

  absl::StatusOr<std::vector<Tensor>> Backward(absl::Span<const Tensor> grads,
                                               const std::vector<bool>& wanted,
                                               bool create_graph) override {
    if (create_graph && !records_backward_) {
      return absl::UnimplementedError(
          absl::StrCat("'", name(), "' is compiled, and gradients of its gradients are not: call "
                                    "Hybridize(false) on it for this computation"));
    }
    return backward_(grads, wanted);
  }
  void Release() override { backward_ = nullptr; }
  bool released() const override { return backward_ == nullptr; }

 private:
  BackwardFn backward_;
  const bool records_backward_;
};

}  // namespace

const GradMeta* MetaOf(const Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  return static_cast<const GradMeta*>(tensor.impl()->autograd.get());
}

TapeNode::TapeNode(std::string name, absl::Span<const Tensor> inputs)
    : sequence_(next_sequence.fetch_add(1, std::memory_order_relaxed)), name_(std::move(name)) {
  edges_.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    Edge edge;
    if (const GradMeta* meta = MetaOf(input)) {
      if (meta->node) {
        edge.node = meta->node;
        edge.output = meta->output;
      } else if (meta->slot && meta->slot->request() != GradRequest::kNone) {
        edge.slot = meta->slot;
      }
    }
    edges_.push_back(std::move(edge));
  }
}

TapeNode::~TapeNode() {
  // A long tape must not be destroyed recursively: nodes whose last owner is this one are handed to
  // the outermost destructor of the thread.
  thread_local std::vector<Ref<TapeNode>>* pending = nullptr;
  std::vector<Ref<TapeNode>> local;
  const bool outermost = pending == nullptr;
  if (outermost) pending = &local;
  for (Edge& edge : edges_) {
    if (edge.node) pending->push_back(std::move(edge.node));
  }
  if (outermost) {
    while (!local.empty()) {
      // Its edges keep the nodes before it alive until its own destructor hands them over.
      Ref<TapeNode> node = std::move(local.back());
      local.pop_back();
    }
    pending = nullptr;
  }
}

void TapeNode::Attach(absl::Span<Tensor> outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    output_specs_.push_back(outputs[i].spec());
    if (!IsFloating(outputs[i].dtype())) continue;
    auto meta = MakeRef<GradMeta>();
    meta->node = RefFrom(this);
    meta->output = static_cast<int>(i);
    if (!outputs[i].impl()->unique()) outputs[i] = Detach(outputs[i]);
    outputs[i].impl()->autograd = std::move(meta);
  }
}

absl::StatusOr<TensorList> TapeInterpreter::Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                                   const AttributeMap& attrs,
                                                   const InvokeOptions& options) {
  const bool record = op.traits.differentiable && AnyRequiresGrad(inputs);
  if (record && !op.vjp && op.decompose) {
    // Checked first, so that errors are those of the op and not of its parts.
    TANDEM_RETURN_IF_ERROR(InferSpecs(op, attrs, inputs).status());
    InterpreterInvoker invoker(this);
    DecomposeContext context(attrs, inputs, invoker);
    return op.decompose(context);
  }
  TANDEM_ASSIGN_OR_RETURN(TensorList outputs, next_.Invoke(op, inputs, attrs, options));
  if (record) MakeRef<OpNode>(op, attrs, inputs, outputs, options.location)->Attach(absl::MakeSpan(outputs));
  return outputs;
}

absl::StatusOr<TensorList> TapeInterpreter::Call(Callable& callable,
                                                 absl::Span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.defined() && input.is_symbolic()) {
      // Compiled code cannot be recorded into a graph: its ops are, one by one.
      return callable.Inline(inputs);
    }
  }
  TANDEM_ASSIGN_OR_RETURN(DifferentiableRun run, callable.RunForGradient(inputs));
  if (run.backward != nullptr && AnyRequiresGrad(run.inputs)) {
    MakeRef<CallNode>(callable.name(), run.inputs, std::move(run.backward), run.records_backward)
        ->Attach(absl::MakeSpan(run.outputs));
  }
  return std::move(run.outputs);
}

absl::Status TapeInterpreter::Write(Variable& variable, const Tensor& value) {
  return next_.Write(variable, value.defined() ? Detach(value) : value);
}

}  // namespace tandem
