#include "tandem/frontends/cpp/parameter.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {

Parameter::Parameter(std::string local_name, ParameterOptions options,
                     std::shared_ptr<internal::BlockIdentity> owner)
    : local_name_(std::move(local_name)), options_(std::move(options)), owner_(std::move(owner)) {
  const absl::Status status = options_.shape.Validate(/*allow_dynamic=*/true);
  if (!status.ok()) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("parameter '", local_name_, "': ", status.message())));
  }
  if (options_.grad_req != GradRequest::kNone && !IsFloating(options_.dtype)) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("parameter '", local_name_, "' of dtype ", DTypeName(options_.dtype),
                     " cannot be trained; give it grad_req = GradRequest::kNone")));
  }
}

std::string Parameter::name() const {
  return owner_ == nullptr ? local_name_ : absl::StrCat(owner_->Name(), "_", local_name_);
}

Variable& Parameter::variable() const {
  if (!variable_) variable_ = MakeRef<Variable>(name());
  return *variable_;
}

Ref<Variable> Parameter::variable_ref() const {
  variable();
  return variable_;
}

void Parameter::set_grad_req(GradRequest request) {
  if (request == options_.grad_req) return;
  if (request != GradRequest::kNone && !IsFloating(options_.dtype)) {
    throw Error(absl::InvalidArgumentError(absl::StrCat("parameter '", name(), "' of dtype ",
                                                        DTypeName(options_.dtype),
                                                        " cannot have a gradient")));
  }
  options_.grad_req = request;
  if (initialized()) Check(AttachGrad(variable(), request));
  if (owner_ != nullptr) owner_->Changed();
}

absl::Status Parameter::NotInitialized() const {
  if (deferred()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "parameter '", name(), "' has the shape ", options_.shape.ToString(),
        ", which is not known yet; it is learnt at the first forward, or give the layer its "
        "input size"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "parameter '", name(), "' has not been initialized; call Initialize() before forward"));
}

Tensor Parameter::Data() const {
  if (!initialized()) throw Error(NotInitialized());
  return Value(ReadVariable(*variable_));
}

absl::Status Parameter::CheckValue(const Tensor& value) const {
  if (!value.defined()) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter '", name(), "' cannot be set to an empty Tensor"));
  }
  if (value.dtype() != options_.dtype) {
    return absl::InvalidArgumentError(absl::StrCat("parameter '", name(), "' is ",
                                                   DTypeName(options_.dtype), ", the new value is ",
                                                   value.Describe(), "; Cast it first"));
  }
  if (value.is_symbolic()) return value.symbol()->ValueError("Parameter::SetData");
  return CheckShape(value.shape());
}

void Parameter::SetData(const Tensor& value) {
  Check(CheckValue(value));
  options_.shape = value.shape();
  Device* device = pending_device_ != nullptr ? pending_device_ : value.device();
  if (initialized()) device = variable().Get().device();
  Check(variable().Set(Detach(Value(CopyToDevice(value, *device)))));
  if (!initialized()) {
    Check(AttachGrad(variable(), options_.grad_req));
    initialized_.store(true, std::memory_order_release);
  }
}

Tensor Parameter::Grad() const {
  if (options_.grad_req == GradRequest::kNone) {
    throw Error(absl::FailedPreconditionError(
        absl::StrCat("parameter '", name(), "' has no gradient: its grad_req is kNone")));
  }
  const Tensor grad = initialized() ? GradOf(*variable_) : Tensor();
  if (!grad.defined()) {
    throw Error(absl::FailedPreconditionError(
        absl::StrCat("parameter '", name(),
                     "' has no gradient yet; run a forward in a RecordScope, and "
                     "Backward")));
  }
  return grad;
}

void Parameter::ZeroGrad() {
  if (initialized()) ClearGrad(variable());
}

void Parameter::Initialize(const InitializerPtr& init, Device& device, bool force) {
  if (initialized() && !force) return;
  pending_init_ = options_.init != nullptr ? options_.init : init;
  pending_device_ = &device;
  initialized_.store(false, std::memory_order_release);
  if (!options_.shape.has_dynamic()) FinishInitialize();
}

Parameter::Place Parameter::CopyTo(Device& device) const {
  Place place{&device, Tensor(), Tensor()};
  if (!initialized()) return place;
  place.value = Value(CopyToDevice(variable().Get(), device));
  if (const Tensor grad = GradOf(variable()); grad.defined()) {
    place.grad = Value(CopyToDevice(grad, device));
  }
  return place;
}

void Parameter::MoveTo(const Place& place) {
  if (pending_device_ != nullptr) pending_device_ = place.device;
  if (!place.value.defined()) return;
  Check(variable().Set(Detach(place.value)));
  if (place.grad.defined()) MoveGrad(variable(), place.grad);
}

absl::Status Parameter::CheckShape(const Shape& shape) const {
  bool fits = shape.rank() == options_.shape.rank();
  for (int i = 0; fits && i < shape.rank(); ++i) {
    fits = options_.shape[i] == kDynamic || options_.shape[i] == shape[i];
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "parameter '", name(), "' has the shape ", options_.shape.ToString(), ", which does not fit ",
      shape.ToString(), "; the layer was made for an input of another size"));
}

void Parameter::ResolveShape(const Shape& shape) {
  Check(CheckShape(shape));
  options_.shape = shape;
}

void Parameter::FinishInitialize() {
  if (initialized() || pending_device_ == nullptr || options_.shape.has_dynamic()) return;
  // A first forward may be a trace or recorded; drawing the first value is neither.
  InterpreterScope eager(EagerInterpreter());
  const Tensor value = pending_init_->Create(options_.shape, options_.dtype, *pending_device_);
  Check(variable().Set(value));
  Check(AttachGrad(variable(), options_.grad_req));
  initialized_.store(true, std::memory_order_release);
}

Parameter& ParameterList::operator[](absl::string_view name) const {
  for (const ParameterPtr& parameter : parameters_) {
    if (parameter->name() == name) return *parameter;
  }
  throw Error(absl::NotFoundError(
      absl::StrCat("no parameter '", name, "'; there are: ", absl::StrJoin(names(), ", "))));
}

bool ParameterList::contains(absl::string_view name) const {
  for (const ParameterPtr& parameter : parameters_) {
    if (parameter->name() == name) return true;
  }
  return false;
}

std::vector<std::string> ParameterList::names() const {
  std::vector<std::string> result;
  for (const ParameterPtr& parameter : parameters_) result.push_back(parameter->name());
  return result;
}

void ParameterList::ZeroGrad() const {
  for (const ParameterPtr& parameter : parameters_) parameter->ZeroGrad();
}

}  // namespace tandem
