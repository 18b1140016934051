#include "tandem/core/autograd/device_copy.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/op/callable.h"

namespace tandem {
namespace {

// Not an op: those have inputs and outputs on one device.
class DeviceCopy : public Callable {
 public:
  explicit DeviceCopy(Device& to) : to_(to) {}

  std::string name() const override { return absl::StrCat("copy to ", to_.id().ToString()); }

  absl::StatusOr<TensorList> Run(absl::Span<const Tensor> inputs) override {
    TANDEM_ASSIGN_OR_RETURN(Tensor copy, CopyToDevice(inputs[0], to_));
    return TensorList{std::move(copy)};
  }

  absl::StatusOr<DifferentiableRun> RunForGradient(absl::Span<const Tensor> inputs) override {
    DifferentiableRun run;
    TANDEM_ASSIGN_OR_RETURN(run.outputs, Run(inputs));
    run.inputs.assign(inputs.begin(), inputs.end());
    run.backward = [from = inputs[0].device()](
                       absl::Span<const Tensor> output_grads,
                       const std::vector<bool>& wanted) -> absl::StatusOr<std::vector<Tensor>> {
      std::vector<Tensor> grads(1);
      if (output_grads[0].defined() && wanted[0]) {
        TANDEM_ASSIGN_OR_RETURN(grads[0], MoveTo(output_grads[0], *from));
      }
      return grads;
    };
    run.records_backward = true;
    return run;
  }

  // Where a trace would take it in.
  absl::StatusOr<TensorList> Inline(absl::Span<const Tensor> inputs) override {
    const Tensor& x = inputs[0];
    if (x.is_symbolic()) {
      return absl::FailedPreconditionError(absl::StrCat(
          x.Describe(), " cannot move to ", to_.id().ToString(),
          ": it is being traced, and a graph has one device. Move the inputs before the call, and "
          "the outputs after it; what needs several devices stays imperative"));
    }
    if (RequiresGrad(x)) {
      return absl::FailedPreconditionError(absl::StrCat(
          x.Describe(), " cannot move to ", to_.id().ToString(),
          " while a graph is traced: its gradient would be cut off. Move it before the call"));
    }
    return Run(inputs);
  }

 private:
  Device& to_;
};

}  // namespace

absl::StatusOr<Tensor> MoveTo(const Tensor& tensor, Device& device) {
  if (!tensor.defined()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an empty Tensor cannot move to ", device.id().ToString()));
  }
  if (tensor.device() == &device) return tensor;
  const Ref<DeviceCopy> copy = MakeRef<DeviceCopy>(device);
  TANDEM_ASSIGN_OR_RETURN(TensorList moved, Call(*copy, {&tensor, 1}));
  return std::move(moved[0]);
}

}  // namespace tandem
