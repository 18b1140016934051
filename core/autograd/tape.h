// The tape behind autograd.h: nodes, and the interpreter that makes them.
//
// A node hangs on the results of an op that may need a gradient, and holds what the op's vjp needs.
// It points to the nodes of its inputs, so a tape lives as long as the results that need it.
//
// Thread rules: a tape records one thread; nodes are constant once recorded, but for Release.
#ifndef TANDEM_CORE_AUTOGRAD_TAPE_H_
#define TANDEM_CORE_AUTOGRAD_TAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

enum class GradRequest : uint8_t;

// Where the gradient of a leaf ends up.
class GradSlot : public RefCounted {
 public:
  explicit GradSlot(GradRequest request) : request_(request) {}
  GradRequest request() const { return request_; }
  Tensor grad() const {
    absl::MutexLock lock(&mutex_);
    return grad_;
  }
  void set_grad(Tensor grad) {
    absl::MutexLock lock(&mutex_);
    grad_ = std::move(grad);
    ++generation_;
  }
  // The same gradient in another place: not a new one.
  void move_grad(Tensor grad) {
    absl::MutexLock lock(&mutex_);
    grad_ = std::move(grad);
  }
  // How often a gradient was set.
  int64_t generation() const {
    absl::MutexLock lock(&mutex_);
    return generation_;
  }

 private:
  const GradRequest request_;
  mutable absl::Mutex mutex_;
  Tensor grad_ ABSL_GUARDED_BY(mutex_);
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
};

class TapeNode;

// What autograd hangs on a tensor: a slot if it is a leaf, a node if it was computed.
struct GradMeta : public AutogradMeta {
  Ref<GradSlot> slot;
  Ref<TapeNode> node;
  int output = 0;  // which output of the node
};

// Null if nothing is recorded for the tensor.
const GradMeta* MetaOf(const Tensor& tensor);

class TapeNode : public RefCounted {
 public:
  // Where the gradient of an input goes; neither: nowhere.
  struct Edge {
    Ref<GradSlot> slot;
    Ref<TapeNode> node;
    int output = 0;
    bool wanted() const { return slot || node; }
  };

  TapeNode(std::string name, absl::Span<const Tensor> inputs);
  ~TapeNode() override;

  int64_t sequence() const { return sequence_; }  // later nodes have higher numbers
  const std::string& name() const { return name_; }
  const std::vector<Edge>& edges() const { return edges_; }
  int num_outputs() const { return static_cast<int>(output_specs_.size()); }
  const TensorSpec& output_spec(int i) const { return output_specs_[i]; }

  // Hangs the node on its results. A result that somebody else holds too (an op that gives its input
  // as it is) becomes a handle of its own first, so that the other one is left alone.
  void Attach(absl::Span<Tensor> outputs);

  // One gradient for each edge (undefined: none). `create_graph`: what is computed is recorded.
  virtual absl::StatusOr<std::vector<Tensor>> Backward(absl::Span<const Tensor> grads,
                                                       const std::vector<bool>& wanted,
                                                       bool create_graph) = 0;
  // Lets go of what was saved; Backward then fails.
  virtual void Release() = 0;
  virtual bool released() const = 0;

 private:
  const int64_t sequence_;
  const std::string name_;
  std::vector<Edge> edges_;
  std::vector<TensorSpec> output_specs_;
};

// Records what passes through to `next`.
class TapeInterpreter : public Interpreter {
 public:
  explicit TapeInterpreter(Interpreter& next) : next_(next) {}
  Interpreter& next() const { return next_; }

  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override;
  absl::StatusOr<TensorList> Call(Callable& callable, absl::Span<const Tensor> inputs) override;
  absl::StatusOr<Tensor> Read(Variable& variable) override { return next_.Read(variable); }
  absl::Status Write(Variable& variable, const Tensor& value) override;
  absl::StatusOr<RandomState> NextRandom(Device& device, int64_t blocks) override {
    return next_.NextRandom(device, blocks);
  }

 private:
  Interpreter& next_;
};

}  // namespace tandem

#endif  // TANDEM_CORE_AUTOGRAD_TAPE_H_
