// Definitions of the ops that move elements without calculating: reshape, slice, concat, …
//
//   TANDEM_RETURN_IF_ERROR(RegisterShapeOps(&registry));
//
// Thread rules: as OpRegistry.
#ifndef TANDEM_CORE_OPS_SHAPE_OPS_H_
#define TANDEM_CORE_OPS_SHAPE_OPS_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if one of them is there.
absl::Status RegisterShapeOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_SHAPE_OPS_H_
