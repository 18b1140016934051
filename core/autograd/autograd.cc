#include "tandem/core/autograd/autograd.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/tape.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

Ref<GradMeta> LeafMeta(GradRequest request) {
  auto meta = MakeRef<GradMeta>();
  meta->slot = MakeRef<GradSlot>(request);
  return meta;
}

// Owned: another thread may replace the variable's leaf meanwhile.
Ref<GradSlot> SlotOf(const Variable& variable) {
  const Ref<AutogradMeta> meta = variable.autograd();
  return meta ? static_cast<const GradMeta*>(meta.get())->slot : Ref<GradSlot>();
}

absl::Status CheckFloating(const Tensor& tensor) {
  if (tensor.defined() && IsFloating(tensor.dtype())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "only a floating-point tensor can have a gradient, this is ", tensor.Describe()));
}

// One backward pass: gradients flow from the heads to the leaves, or to chosen tensors.
class BackwardPass {
 public:
  BackwardPass(const BackwardOptions& options) : options_(options), emit_(invoker_) {}

  // Gradients of these are kept; without a call, those of all leaves are.
  void KeepOnly(absl::Span<const Tensor> inputs) {
    keep_only_ = true;
    for (const Tensor& input : inputs) {
      const GradMeta* meta = MetaOf(input);
      if (meta == nullptr) continue;
      if (meta->node) {
        kept_nodes_[{meta->node.get(), meta->output}];
      } else if (meta->slot) {
        slots_[meta->slot.get()];
      }
    }
  }

  absl::Status Run(absl::Span<const Tensor> heads, absl::Span<const Tensor> head_grads) {
    if (heads.empty()) return absl::InvalidArgumentError("Backward of nothing: give it a loss");
    if (!head_grads.empty() && head_grads.size() != heads.size()) {
      return absl::InvalidArgumentError(absl::StrCat(heads.size(), " heads, but ",
                                                     head_grads.size(), " head gradients"));
    }
    std::vector<Tensor> grads;
    for (size_t i = 0; i < heads.size(); ++i) {
      TANDEM_ASSIGN_OR_RETURN(
          Tensor grad, HeadGrad(heads[i], head_grads.empty() ? Tensor() : head_grads[i]));
      grads.push_back(std::move(grad));
    }
    TANDEM_RETURN_IF_ERROR(CollectNodes(heads));
    for (size_t i = 0; i < heads.size(); ++i) {
      const GradMeta* meta = MetaOf(heads[i]);
      if (!meta->node) {
        AddToSlot(meta->slot, grads[i]);
      } else if (auto it = pending_.find(meta->node.get()); it != pending_.end()) {
        AddTo(&it->second[meta->output], grads[i]);
      }  // else the head leads to nothing that is wanted
    }
    for (TapeNode* node : order_) TANDEM_RETURN_IF_ERROR(Visit(*node));
    return emit_.status();
  }

  // What KeepOnly asked for; undefined if nothing arrived.
  Tensor Kept(const Tensor& input) const {
    const GradMeta* meta = MetaOf(input);
    if (meta == nullptr) return Tensor();
    if (meta->node) return kept_nodes_.at({meta->node.get(), meta->output});
    return meta->slot ? slots_.at(meta->slot.get()) : Tensor();
  }

  // Hands the gradients of the leaves to their slots.
  absl::Status StoreLeaves() {
    for (const Ref<GradSlot>& slot : leaves_) {
      Tensor grad = slots_[slot.get()];
      if (slot->request() == GradRequest::kAdd) {
        if (const Tensor old = slot->grad(); old.defined()) grad = emit_("add", {old, grad});
      }
      TANDEM_RETURN_IF_ERROR(emit_.status());
      slot->set_grad(std::move(grad));
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Tensor> HeadGrad(const Tensor& head, const Tensor& given) {
    if (!RequiresGrad(head)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "Backward from ", head.Describe(), ", which was not recorded: compute it inside a "
          "RecordScope from tensors with AttachGrad"));
    }
    if (!given.defined()) {
      Tensor ones = emit_.FullLike(1.0, head);
      if (!emit_.status().ok()) return emit_.status();
      return ones;
    }
    if (given.spec() != head.spec()) {
      return absl::InvalidArgumentError(absl::StrCat("head gradient ", given.spec().ToString(),
                                                     " for a head ", head.spec().ToString(),
                                                     ": they must be alike"));
    }
    return given;
  }

  bool LeadsSomewhere(const TapeNode::Edge& edge) const {
    if (edge.slot) return !keep_only_ || slots_.contains(edge.slot.get());
    return edge.node && pending_.contains(edge.node.get());
  }

  // All nodes on a path from a head to something that is wanted, latest first.
  absl::Status CollectNodes(absl::Span<const Tensor> heads) {
    absl::flat_hash_set<TapeNode*> seen;
    std::vector<TapeNode*> stack;
    auto push = [&](TapeNode* node) {
      if (node != nullptr && seen.insert(node).second) stack.push_back(node);
    };
    for (const Tensor& head : heads) push(MetaOf(head)->node.get());
    std::vector<TapeNode*> nodes;
    while (!stack.empty()) {
      TapeNode* node = stack.back();
      stack.pop_back();
      nodes.push_back(node);
      for (const TapeNode::Edge& edge : node->edges()) push(edge.node.get());
    }
    // An edge leads to an earlier node, so one pass in ascending order settles who leads somewhere.
    std::sort(nodes.begin(), nodes.end(), [](const TapeNode* a, const TapeNode* b) {
      return a->sequence() < b->sequence();
    });
    for (TapeNode* node : nodes) {
      bool useful = false;
      for (const TapeNode::Edge& edge : node->edges()) useful = useful || LeadsSomewhere(edge);
      for (int i = 0; i < node->num_outputs(); ++i) {
        useful = useful || kept_nodes_.contains(std::pair<TapeNode*, int>{node, i});
      }
      if (!useful) continue;
      if (node->released()) {
        return absl::FailedPreconditionError(absl::StrCat(
            "what ", node->name(), " recorded was freed by an earlier Backward; call that one "
            "with retain_graph to run it again"));
      }
      pending_[node].resize(node->num_outputs());
      order_.push_back(node);
    }
    std::reverse(order_.begin(), order_.end());
    return absl::OkStatus();
  }

  absl::Status Visit(TapeNode& node) {
    std::vector<Tensor> grads = std::move(pending_[&node]);
    bool any = false;
    for (int i = 0; i < static_cast<int>(grads.size()); ++i) {
      any = any || grads[i].defined();
      auto kept = kept_nodes_.find(std::pair<TapeNode*, int>{&node, i});
      if (kept != kept_nodes_.end()) kept->second = grads[i];
    }
    if (any) {
      std::vector<bool> wanted;
      bool any_wanted = false;
      for (const TapeNode::Edge& edge : node.edges()) {
        wanted.push_back(LeadsSomewhere(edge));
        any_wanted = any_wanted || wanted.back();
      }
      if (any_wanted) {
        TANDEM_ASSIGN_OR_RETURN(const std::vector<Tensor> input_grads,
                                node.Backward(grads, wanted, options_.create_graph));
        for (size_t i = 0; i < wanted.size() && i < input_grads.size(); ++i) {
          if (!wanted[i] || !input_grads[i].defined()) continue;
          const TapeNode::Edge& edge = node.edges()[i];
          if (edge.slot) {
            AddToSlot(edge.slot, input_grads[i]);
          } else {
            AddTo(&pending_[edge.node.get()][edge.output], input_grads[i]);
          }
        }
      }
    }
    if (!options_.retain_graph && !options_.create_graph) node.Release();
    return emit_.status();
  }

  void AddTo(Tensor* sum, const Tensor& grad) {
    *sum = sum->defined() ? emit_("add", {*sum, grad}) : grad;
  }

  void AddToSlot(const Ref<GradSlot>& slot, const Tensor& grad) {
    Tensor& sum = slots_[slot.get()];
    if (!sum.defined()) leaves_.push_back(slot);
    AddTo(&sum, grad);
  }

  const BackwardOptions options_;
  InterpreterInvoker invoker_;
  Emitter emit_;
  bool keep_only_ = false;
  std::vector<TapeNode*> order_;
  absl::flat_hash_map<TapeNode*, std::vector<Tensor>> pending_;
  absl::flat_hash_map<std::pair<TapeNode*, int>, Tensor> kept_nodes_;
  absl::flat_hash_map<GradSlot*, Tensor> slots_;
  std::vector<Ref<GradSlot>> leaves_;
};

}  // namespace

absl::Status AttachGrad(const Tensor& tensor, GradRequest request) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(tensor));
  tensor.impl()->autograd = LeafMeta(request);
  return absl::OkStatus();
}

absl::Status AttachGrad(Variable& variable, GradRequest request) {
  if (const Tensor value = variable.Get(); value.defined()) {
    TANDEM_RETURN_IF_ERROR(Annotate(CheckFloating(value), variable.name()));
  }
  variable.SetAutograd(request == GradRequest::kNone ? Ref<GradMeta>() : LeafMeta(request));
  return absl::OkStatus();
}

Tensor GradOf(const Tensor& leaf) {
  const GradMeta* meta = MetaOf(leaf);
  return meta != nullptr && meta->slot ? meta->slot->grad() : Tensor();
}

Tensor GradOf(const Variable& variable) {
  const Ref<GradSlot> slot = SlotOf(variable);
  return slot ? slot->grad() : Tensor();
}

int64_t GradGeneration(const Variable& variable) {
  const Ref<GradSlot> slot = SlotOf(variable);
  return slot ? slot->generation() : 0;
}

void ClearGrad(const Variable& variable) {
  if (const Ref<GradSlot> slot = SlotOf(variable)) slot->set_grad(Tensor());
}

void MoveGrad(const Variable& variable, Tensor grad) {
  if (const Ref<GradSlot> slot = SlotOf(variable)) slot->move_grad(std::move(grad));
}

GradRequest GradRequestOf(const Variable& variable) {
  const Ref<GradSlot> slot = SlotOf(variable);
  return slot ? slot->request() : GradRequest::kNone;
}

bool RequiresGrad(const Tensor& tensor) {
  const GradMeta* meta = MetaOf(tensor);
  if (meta == nullptr) return false;
  return meta->node || (meta->slot && meta->slot->request() != GradRequest::kNone);
}

Tensor Detach(const Tensor& tensor) {
  if (!tensor.defined()) return tensor;
  auto impl = MakeRef<TensorImpl>();
  impl->layout = tensor.layout();
  impl->device = tensor.device();
  impl->buffer = tensor.buffer();
  impl->symbol = tensor.symbol();
  return Tensor(std::move(impl));
}

struct RecordScope::State {
  explicit State(bool training) : training(training) {
    // Recording already: one tape is enough.
    if (IsRecording()) return;
    tape.emplace(CurrentInterpreter());
    scope.emplace(*tape);
  }
  TrainingScope training;
  std::optional<TapeInterpreter> tape;
  std::optional<InterpreterScope> scope;
};

RecordScope::RecordScope(bool training) : state_(std::make_unique<State>(training)) {}
RecordScope::~RecordScope() = default;

struct PauseScope::State {
  explicit State(bool training) : training(training) {
    if (auto* tape = dynamic_cast<TapeInterpreter*>(&CurrentInterpreter())) {
      scope.emplace(tape->next());
    }
  }
  TrainingScope training;
  std::optional<InterpreterScope> scope;
};

PauseScope::PauseScope(bool training) : state_(std::make_unique<State>(training)) {}
PauseScope::~PauseScope() = default;

bool IsRecording() { return dynamic_cast<TapeInterpreter*>(&CurrentInterpreter()) != nullptr; }

absl::Status Backward(absl::Span<const Tensor> heads, absl::Span<const Tensor> head_grads,
                      const BackwardOptions& options) {
  std::optional<PauseScope> pause;
  if (!options.create_graph) pause.emplace(IsTraining());
  BackwardPass pass(options);
  TANDEM_RETURN_IF_ERROR(pass.Run(heads, head_grads));
  return pass.StoreLeaves();
}

absl::StatusOr<std::vector<Tensor>> Grad(absl::Span<const Tensor> heads,
                                         absl::Span<const Tensor> head_grads,
                                         absl::Span<const Tensor> inputs,
                                         const BackwardOptions& options) {
  std::optional<PauseScope> pause;
  if (!options.create_graph) pause.emplace(IsTraining());
  BackwardPass pass(options);
  pass.KeepOnly(inputs);
  TANDEM_RETURN_IF_ERROR(pass.Run(heads, head_grads));
  std::vector<Tensor> grads;
  for (const Tensor& input : inputs) grads.push_back(pass.Kept(input));
  return grads;
}

}  // namespace tandem
