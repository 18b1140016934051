// Definitions of the ops that make a tensor from nothing: full, arange.
//
//   TANDEM_RETURN_IF_ERROR(RegisterCreationOps(&registry));
//
// Thread rules: as OpRegistry.
#ifndef TANDEM_CORE_OPS_CREATION_H_
#define TANDEM_CORE_OPS_CREATION_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if one of them is there.
absl::Status RegisterCreationOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_CREATION_H_
