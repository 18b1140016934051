// Registers the null backend: its device "null:0" and its kernel.
//
//   TANDEM_RETURN_IF_ERROR(tandem::null_backend::Register(&backends, &kernels));
//
// Thread rules: those of the registries.
#ifndef TANDEM_BACKENDS_NULL_REGISTER_H_
#define TANDEM_BACKENDS_NULL_REGISTER_H_

#include "absl/status/status.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/kernel.h"

namespace tandem::null_backend {

// ALREADY_EXISTS if it is registered.
absl::Status Register(BackendRegistry* backends, KernelRegistry* kernels);

}  // namespace tandem::null_backend

#endif  // TANDEM_BACKENDS_NULL_REGISTER_H_
