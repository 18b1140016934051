// Definitions of the ops matmul and dot.
//
//   TANDEM_RETURN_IF_ERROR(RegisterLinearAlgebraOps(&OpRegistry::Global()));
#ifndef TANDEM_CORE_OPS_LINEAR_ALGEBRA_H_
#define TANDEM_CORE_OPS_LINEAR_ALGEBRA_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if the registry has one of them.
absl::Status RegisterLinearAlgebraOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_LINEAR_ALGEBRA_H_
