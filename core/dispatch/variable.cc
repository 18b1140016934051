#include "tandem/core/dispatch/variable.h"

#include "absl/strings/str_cat.h"

namespace tandem {

Tensor Variable::Get() const {
  LightMutexLock lock(&mutex_);
  return value_;
}

absl::Status Variable::Set(const Tensor& value) {
  if (value.defined() && value.is_symbolic()) {
    return absl::InvalidArgumentError(
        absl::StrCat("variable '", name_, "' cannot hold the symbol ", value.Describe(),
                     "; inside a trace write it with WriteVariable"));
  }
  LightMutexLock lock(&mutex_);
  value_ = value.defined() ? WithMeta(value) : value;
  return absl::OkStatus();
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
