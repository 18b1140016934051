// WeightBinding: the weights of a compiled program, bound to it until one of them changes.
//
// To look at each variable, its layout and its count of references takes as long as a small layer
// computes; most calls find what the call before them found.
//
//   const int64_t generation = binding.generation();
//   for (Variable* v : variables) v->Observe(binding);   // before they are read
//   binding.Publish(bound, generation);                  // unless one has changed since
//   ...
//   if (Ref<const BoundInputs> bound = binding.Get()) program->Run(*bound, arguments);
//
// A variable that changes takes the binding, and its hold on the old values, with it: nothing keeps
// a weight alive that no variable has.
//
// Thread rules: all methods from any thread.
#ifndef TANDEM_GRAPH_COMPILE_WEIGHT_BINDING_H_
#define TANDEM_GRAPH_COMPILE_WEIGHT_BINDING_H_

#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "tandem/core/base/light_mutex.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/dispatch/variable.h"
#include "tandem/graph/exec/executable.h"

namespace tandem {

class WeightBinding : public VariableObserver {
 public:
  // Null if nothing is bound now.
  Ref<const BoundInputs> Get() const {
    LightMutexLock lock(&mutex_);
    return bound_;
  }
  int64_t generation() const {
    LightMutexLock lock(&mutex_);
    return generation_;
  }
  void Publish(Ref<const BoundInputs> bound, int64_t generation) {
    LightMutexLock lock(&mutex_);  // `bound`, which may be an older one now, outlives it
    if (generation == generation_) std::swap(bound_, bound);
  }
  Ref<const RefCounted> OnChange() override {
    LightMutexLock lock(&mutex_);
    ++generation_;
    return std::exchange(bound_, nullptr);
  }

 private:
  mutable LightMutex mutex_;
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  Ref<const BoundInputs> bound_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_COMPILE_WEIGHT_BINDING_H_
