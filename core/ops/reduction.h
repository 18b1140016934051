// Definitions of the ops sum, mean, prod, max, min, argmax, argmin.
//
//   TANDEM_RETURN_IF_ERROR(RegisterReductionOps(&OpRegistry::Global()));
#ifndef TANDEM_CORE_OPS_REDUCTION_H_
#define TANDEM_CORE_OPS_REDUCTION_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if the registry has one of them.
absl::Status RegisterReductionOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_REDUCTION_H_
