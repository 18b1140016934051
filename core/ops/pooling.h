// Definitions of the ops max and average pooling of images (NCHW), over windows and over all.
//
//   TANDEM_RETURN_IF_ERROR(RegisterPoolingOps(&OpRegistry::Global()));
#ifndef TANDEM_CORE_OPS_POOLING_H_
#define TANDEM_CORE_OPS_POOLING_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if the registry has one of them.
absl::Status RegisterPoolingOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_POOLING_H_
