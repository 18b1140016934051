// Registers Vulkan: its devices "vulkan:0", … and its kernels.
//
//   TANDEM_RETURN_IF_ERROR(tandem::vulkan_backend::Register(&backends, &kernels));
//
// Programs usually call RegisterAllBackends (backends/all.h) instead. It opens neither the loader nor
// a device: where there is no driver, opening a device says so.
// Thread rules: those of the registries.
#ifndef TANDEM_BACKENDS_VULKAN_REGISTER_H_
#define TANDEM_BACKENDS_VULKAN_REGISTER_H_

#include "absl/status/status.h"
#include "tandem/core/device/backend.h"
#include "tandem/core/op/kernel.h"

namespace tandem::vulkan_backend {

// ALREADY_EXISTS if Vulkan is registered.
absl::Status Register(BackendRegistry* backends, KernelRegistry* kernels);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_REGISTER_H_
