// A named, mutable cell that holds a tensor: a parameter, a running statistic.
//
// Tensors never change; what changes is which tensor a variable holds. Code that an interpreter may
// record reads and writes variables through the interpreter stack (interpreter.h: ReadVariable,
// WriteVariable), so that a trace sees an input and a state update, not a value.
//
//   auto weight = MakeRef<Variable>("dense0_weight");
//   weight->Set(value);
//   TANDEM_ASSIGN_OR_RETURN(Tensor w, ReadVariable(*weight));
//
// Thread rules: all methods from any thread; a reader sees a whole tensor, old or new.
#ifndef TANDEM_CORE_DISPATCH_VARIABLE_H_
#define TANDEM_CORE_DISPATCH_VARIABLE_H_

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// Somebody who keeps what he derived from the values of variables, and must give it up when one of
// them changes.
class VariableObserver : public RefCounted {
 public:
  // A variable that was observed has another value now. Comes before anybody can see that value,
  // with the variable locked, so it must be short and use no variable; what it gives up it returns,
  // to be released when the lock is.
  virtual Ref<const RefCounted> OnChange() = 0;
};

class Variable : public RefCounted {
 public:
  explicit Variable(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  // The tensor it holds; undefined before the first Set.
  Tensor Get() const;
  // Replaces it. INVALID_ARGUMENT for a symbol: that needs WriteVariable.
  absl::Status Set(const Tensor& value);

  // Tells `observer` of the next Set, and then forgets it. To observe again before that changes
  // nothing.
  void Observe(VariableObserver& observer);
  void Forget(const VariableObserver& observer);

  // What autograd hangs on every value that Get returns (see core/autograd/autograd.h). Applies to
  // the current and later values.
  void SetAutograd(Ref<AutogradMeta> meta);
  Ref<AutogradMeta> autograd() const;

 private:
  using Observers = absl::InlinedVector<Ref<VariableObserver>, 1>;

  // `value_` with `meta_` on a TensorImpl of its own.
  Tensor WithMeta(const Tensor& value) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  mutable LightMutex mutex_;
  Tensor value_ ABSL_GUARDED_BY(mutex_);
  Ref<AutogradMeta> meta_ ABSL_GUARDED_BY(mutex_);
  Observers observers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem

#endif  // TANDEM_CORE_DISPATCH_VARIABLE_H_
