// Parameter: a named tensor of a block that is trained, or kept (running statistics).
//
//   Parameter& weight = DeclareParameter("weight", {.shape = {10, kDynamic}});
//   weight.Data();            // in a trace: a symbol
//   weight.Grad();            // after Backward
//   weight.set_lr_mult(0.1);
//
// A dimension that is kDynamic is learnt at the first forward (deferred initialisation, R13); until
// then there is no value.
// Thread rules: Data and Grad from any thread; the rest by one thread, with no forward at the time.
#ifndef TANDEM_FRONTENDS_CPP_PARAMETER_H_
#define TANDEM_FRONTENDS_CPP_PARAMETER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/dispatch/variable.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/frontends/cpp/initializer.h"
#include "tandem/frontends/cpp/name_scope.h"

namespace tandem {

struct ParameterOptions {
  Shape shape = {};  // kDynamic: to be learnt
  DType dtype = DType::kF32;
  InitializerPtr init = nullptr;               // null: the one that Block::Initialize is given
  GradRequest grad_req = GradRequest::kWrite;  // kNone: not trained
  double lr_mult = 1.0;
  double wd_mult = 1.0;
};

class Parameter {
 public:
  // `owner` may be null: then `local_name` is the whole name.
  Parameter(std::string local_name, ParameterOptions options,
            std::shared_ptr<internal::BlockIdentity> owner);
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;

  // "hybridsequential0_dense0_weight".
  std::string name() const;
  const std::string& local_name() const { return local_name_; }
  const Shape& shape() const { return options_.shape; }
  DType dtype() const { return options_.dtype; }
  GradRequest grad_req() const { return options_.grad_req; }
  double lr_mult() const { return options_.lr_mult; }
  double wd_mult() const { return options_.wd_mult; }
  void set_lr_mult(double lr_mult) { options_.lr_mult = lr_mult; }
  void set_wd_mult(double wd_mult) { options_.wd_mult = wd_mult; }
  // Takes effect at once; compiled graphs that use the parameter are traced again.
  void set_grad_req(GradRequest request);

  // True once it has a value.
  bool initialized() const { return initialized_.load(std::memory_order_acquire); }
  // True between Initialize and the first forward, where the shape was not known.
  bool deferred() const { return pending_device_ != nullptr && !initialized(); }

  // The value, read through this thread's interpreter: a symbol in a trace. FAILED_PRECONDITION
  // says what to do if there is none yet.
  Tensor Data() const;
  // Replaces the value (copied to the parameter's device if it lies elsewhere). INVALID_ARGUMENT
  // unless shape and dtype fit. The gradient's meaning is the caller's business.
  void SetData(const Tensor& value);
  // The gradient of the last Backward. FAILED_PRECONDITION if there is none.
  Tensor Grad() const;
  // Forgets the gradient (for GradRequest::kAdd).
  void ZeroGrad();

  // Draws the first value, now or as soon as the shape is known. `init` serves if the parameter has
  // none of its own. Does nothing if there is a value, unless `force`.
  void Initialize(const InitializerPtr& init, Device& device, bool force);
  // The value and the gradient, copied to a device (each undefined if there is none), and what makes
  // such copies this parameter's own; a value that is not there yet will be made on the device. See
  // Block::MoveTo.
  struct Place {
    Device* device = nullptr;
    Tensor value, grad;
  };
  Place CopyTo(Device& device) const;
  void MoveTo(const Place& place);
  // INVALID_ARGUMENT unless SetData would take the value, whose dtype and known sizes must be the
  // parameter's.
  absl::Status CheckValue(const Tensor& value) const;
  // Fills in the dimensions that are not known. INVALID_ARGUMENT if the known ones differ.
  void ResolveShape(const Shape& shape);
  // Draws the first value, if Initialize was called and the shape is known.
  void FinishInitialize();

  // The cell that holds the value. Settles the name.
  Variable& variable() const;
  Ref<Variable> variable_ref() const;

 private:
  absl::Status NotInitialized() const;
  absl::Status CheckShape(const Shape& shape) const;

  const std::string local_name_;
  ParameterOptions options_;
  const std::shared_ptr<internal::BlockIdentity> owner_;
  mutable Ref<Variable> variable_;
  std::atomic<bool> initialized_{false};
  InitializerPtr pending_init_;
  Device* pending_device_ = nullptr;
};

using ParameterPtr = std::shared_ptr<Parameter>;

// Parameters in the order of their blocks.
class ParameterList {
 public:
  ParameterList() = default;
  explicit ParameterList(std::vector<ParameterPtr> parameters)
      : parameters_(std::move(parameters)) {}
  size_t size() const { return parameters_.size(); }
  bool empty() const { return parameters_.empty(); }
  auto begin() const { return parameters_.begin(); }
  auto end() const { return parameters_.end(); }
  const ParameterPtr& operator[](size_t i) const { return parameters_[i]; }
  // By full name; NOT_FOUND lists the names there are.
  Parameter& operator[](absl::string_view name) const;
  bool contains(absl::string_view name) const;
  std::vector<std::string> names() const;
  void ZeroGrad() const;

 private:
  std::vector<ParameterPtr> parameters_;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_PARAMETER_H_
