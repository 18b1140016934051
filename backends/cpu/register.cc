#include "tandem/backends/cpu/register.h"

#include <memory>

#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/creation_kernels.h"
#include "tandem/backends/cpu/elementwise.h"
#include "tandem/backends/cpu/kernels/register_kernels.h"
#include "tandem/backends/cpu/random_kernels.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {

absl::Status Register(BackendRegistry* backends, KernelRegistry* kernels) {
  TANDEM_RETURN_IF_ERROR(backends->Register(std::make_unique<CpuBackend>()));
  TANDEM_RETURN_IF_ERROR(RegisterCreationKernels(kernels));
  TANDEM_RETURN_IF_ERROR(RegisterElementwiseKernels(kernels));
  TANDEM_RETURN_IF_ERROR(RegisterRandomKernels(kernels));
  return RegisterStandardKernels(kernels);
}

}  // namespace tandem::cpu_backend
