// A tensor on another device, as a step of a computation.
//
//   TANDEM_ASSIGN_OR_RETURN(Tensor y, MoveTo(x, *device));
//
// Gradients flow back through it, to the device that they are wanted on; also gradients of
// gradients. A graph has one device, so inside a trace a move to another one is an error.
//
// Thread rules: any thread.
#ifndef TANDEM_CORE_AUTOGRAD_DEVICE_COPY_H_
#define TANDEM_CORE_AUTOGRAD_DEVICE_COPY_H_

#include "absl/status/statusor.h"
#include "tandem/core/device/device.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// A row-major copy of `tensor` on `device`; the same handle if it is there already, however it lies.
// INVALID_ARGUMENT for an undefined tensor, FAILED_PRECONDITION for a symbol of another device's
// graph.
absl::StatusOr<Tensor> MoveTo(const Tensor& tensor, Device& device);

}  // namespace tandem

#endif  // TANDEM_CORE_AUTOGRAD_DEVICE_COPY_H_
