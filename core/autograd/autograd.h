// Reverse-mode differentiation with a tape.
//
//   AttachGrad(w);                         // w is a leaf whose gradient is wanted
//   Tensor loss;
//   {
//     RecordScope record;                  // ops are recorded, training mode is on
//     loss = ...;
//   }
//   TANDEM_RETURN_IF_ERROR(Backward({loss}));
//   Tensor g = GradOf(w);
//
// The tape is an interpreter (core/dispatch): it passes every op on and hangs a node with the op's
// vjp on the results. Nodes are freed with the tensors that need them. Gradients are accumulated in
// the reverse order of recording, which makes them repeatable to the bit.
//
// Thread rules: a tape records the thread that opened it. Backward may run on any thread; two
// Backwards must not share leaves at the same time.
#ifndef TANDEM_CORE_AUTOGRAD_AUTOGRAD_H_
#define TANDEM_CORE_AUTOGRAD_AUTOGRAD_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/core/dispatch/variable.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// What Backward does with a leaf's gradient.
enum class GradRequest : uint8_t {
  kNone,   // none is computed
  kWrite,  // replaces the one before
  kAdd,    // adds to it
};

// Makes the tensor (symbolic or not) a leaf. INVALID_ARGUMENT unless its dtype is floating.
absl::Status AttachGrad(const Tensor& tensor, GradRequest request = GradRequest::kWrite);
// The same for all values a variable holds, now and later.
absl::Status AttachGrad(Variable& variable, GradRequest request = GradRequest::kWrite);

// The gradient of a leaf; undefined if none was computed yet.
Tensor GradOf(const Tensor& leaf);
Tensor GradOf(const Variable& variable);
// Grows whenever the variable's gradient is stored or forgotten; 0 before the first time. Who consumes
// gradients (a trainer) tells by it whether one is new.
int64_t GradGeneration(const Variable& variable);
// Forgets a leaf's gradient.
void ClearGrad(const Variable& variable);
GradRequest GradRequestOf(const Variable& variable);
// Replaces a leaf's gradient by the same one elsewhere: GradGeneration stays as it is. Does nothing
// for a variable without a leaf.
void MoveGrad(const Variable& variable, Tensor grad);

// True if the tensor is a leaf that wants a gradient, or was computed from one under a tape.
bool RequiresGrad(const Tensor& tensor);

// The same elements, cut off from the tape.
Tensor Detach(const Tensor& tensor);

// Records until the end of the scope, on this thread.
class RecordScope {
 public:
  explicit RecordScope(bool training = true);
  ~RecordScope();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Stops recording until the end of the scope (also inside a RecordScope).
class PauseScope {
 public:
  explicit PauseScope(bool training = false);
  ~PauseScope();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

bool IsRecording();

struct BackwardOptions {
  // Keep what was recorded, so that Backward can run again.
  bool retain_graph = false;
  // Record the backward pass itself, for gradients of gradients. Implies retain_graph.
  bool create_graph = false;
};

// Computes the gradients of all leaves that `heads` depend on. `head_grads` are the gradients of the
// heads, each undefined or left out for ones. FAILED_PRECONDITION if a head was not recorded, or was
// freed by an earlier Backward.
absl::Status Backward(absl::Span<const Tensor> heads, absl::Span<const Tensor> head_grads = {},
                      const BackwardOptions& options = {});

// The gradients of `heads` with respect to `inputs`, returned instead of stored (undefined where
// there is none). `inputs` may be leaves or any recorded tensors.
absl::StatusOr<std::vector<Tensor>> Grad(absl::Span<const Tensor> heads,
                                         absl::Span<const Tensor> head_grads,
                                         absl::Span<const Tensor> inputs,
                                         const BackwardOptions& options = {});

}  // namespace tandem

#endif  // TANDEM_CORE_AUTOGRAD_AUTOGRAD_H_
