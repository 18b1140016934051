// Definitions of the ops batch_norm and layer_norm.
//
//   TANDEM_RETURN_IF_ERROR(RegisterNormalizationOps(&OpRegistry::Global()));
#ifndef TANDEM_CORE_OPS_NORMALIZATION_H_
#define TANDEM_CORE_OPS_NORMALIZATION_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if the registry has one of them.
absl::Status RegisterNormalizationOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_NORMALIZATION_H_
