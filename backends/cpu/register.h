// Registers the CPU: its devices "cpu:0" and its kernels.
//
//   TANDEM_RETURN_IF_ERROR(tandem::cpu_backend::Register(&backends, &kernels));
//
// Programs usually call RegisterAllBackends (backends/all.h) instead.
// Thread rules: those of the registries.
#ifndef TANDEM_BACKENDS_CPU_REGISTER_H_
#define TANDEM_BACKENDS_CPU_REGISTER_H_

#include "absl/status/status.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

// ALREADY_EXISTS if the CPU is registered.
absl::Status Register(BackendRegistry* backends, KernelRegistry* kernels);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_REGISTER_H_
