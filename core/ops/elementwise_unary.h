// Definitions of the ops of one tensor, element by element: exp, relu, cast, …
//
//   TANDEM_RETURN_IF_ERROR(RegisterElementwiseUnaryOps(&registry));
//
// Thread rules: as OpRegistry.
#ifndef TANDEM_CORE_OPS_ELEMENTWISE_UNARY_H_
#define TANDEM_CORE_OPS_ELEMENTWISE_UNARY_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if one of them is there.
absl::Status RegisterElementwiseUnaryOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_ELEMENTWISE_UNARY_H_
