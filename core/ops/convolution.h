// Definitions of the ops conv2d and its two gradients (NCHW).
//
//   TANDEM_RETURN_IF_ERROR(RegisterConvolutionOps(&OpRegistry::Global()));
#ifndef TANDEM_CORE_OPS_CONVOLUTION_H_
#define TANDEM_CORE_OPS_CONVOLUTION_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if the registry has one of them.
absl::Status RegisterConvolutionOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_CONVOLUTION_H_
