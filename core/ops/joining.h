// Definitions of the ops that cut and join tensors: split, concat, stack. A part of the family
// shape.
//
//   TANDEM_RETURN_IF_ERROR(RegisterJoiningOps(&registry));  // RegisterShapeOps does
//
// Thread rules: as OpRegistry.
#ifndef TANDEM_CORE_OPS_JOINING_H_
#define TANDEM_CORE_OPS_JOINING_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if one of them is there.
absl::Status RegisterJoiningOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_JOINING_H_
