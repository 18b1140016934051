#include "tandem/backends/null/register.h"

#include <memory>

#include "tandem/backends/null/null_device.h"
#include "tandem/backends/null/null_kernel.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::null_backend {

absl::Status Register(BackendRegistry* backends, KernelRegistry* kernels) {
  TANDEM_RETURN_IF_ERROR(backends->Register(std::make_unique<NullBackend>()));
  return RegisterNullKernel(kernels);
}

}  // namespace tandem::null_backend
