#include "tandem/core/dispatch/variable.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace tandem {

Tensor Variable::Get() const {
  LightMutexLock lock(&mutex_);
  return value_;
}

absl::Status Variable::Set(const Tensor& value) {
  if (value.defined() && value.is_symbolic()) {
    return absl::InvalidArgumentError(absl::StrCat("variable '", name_, "' cannot hold the symbol ",
                                                   value.Describe(),
                                                   "; inside a trace write it with WriteVariable"));
  }
  // Released without the lock: a value may own, through its tape, who observes this variable.
  Tensor old;
  Observers observers;
  absl::InlinedVector<Ref<const RefCounted>, 1> given_up;
  LightMutexLock lock(&mutex_);
  old = std::exchange(value_, value.defined() ? WithMeta(value) : value);
  observers.swap(observers_);
  for (const Ref<VariableObserver>& observer : observers) {
    given_up.push_back(observer->OnChange());
  }
  return absl::OkStatus();
}

void Variable::Observe(VariableObserver& observer) {
  LightMutexLock lock(&mutex_);
  for (const Ref<VariableObserver>& known : observers_) {
    if (known.get() == &observer) return;
  }
  observers_.push_back(RefFrom(&observer));
}

void Variable::Forget(const VariableObserver& observer) {
  Ref<VariableObserver> forgotten;
  LightMutexLock lock(&mutex_);
  for (Ref<VariableObserver>& known : observers_) {
    if (known.get() != &observer) continue;
    forgotten = std::move(known);
    known = std::move(observers_.back());
    observers_.pop_back();
    return;
  }
}

void Variable::SetAutograd(Ref<AutogradMeta> meta) {
  LightMutexLock lock(&mutex_);
  meta_ = std::move(meta);
  if (value_.defined()) value_ = WithMeta(value_);
}

Ref<AutogradMeta> Variable::autograd() const {
  LightMutexLock lock(&mutex_);
  return meta_;
}

Tensor Variable::WithMeta(const Tensor& value) const {
  auto impl = MakeRef<TensorImpl>();
  impl->layout = value.layout();
  impl->device = value.device();
  impl->buffer = value.buffer();
  impl->autograd = meta_;
  return Tensor(std::move(impl));
}

}  // namespace tandem
