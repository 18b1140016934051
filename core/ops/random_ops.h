// Definitions of the draws of random numbers, and dropout.
//
//   TANDEM_RETURN_IF_ERROR(RegisterRandomOps(&registry));
//
// Thread rules: as OpRegistry.
#ifndef TANDEM_CORE_OPS_RANDOM_OPS_H_
#define TANDEM_CORE_OPS_RANDOM_OPS_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if one of them is there.
absl::Status RegisterRandomOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_RANDOM_OPS_H_
