// Definitions of the ops of two (or three) tensors, element by element, with broadcasting: add,
// pow, less, where, …
//
//   TANDEM_RETURN_IF_ERROR(RegisterElementwiseBinaryOps(&registry));
//
// Thread rules: as OpRegistry.
#ifndef TANDEM_CORE_OPS_ELEMENTWISE_BINARY_H_
#define TANDEM_CORE_OPS_ELEMENTWISE_BINARY_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if one of them is there.
absl::Status RegisterElementwiseBinaryOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_ELEMENTWISE_BINARY_H_
