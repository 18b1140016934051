// Definitions of the ops gather, its gradient, embedding and one_hot.
//
//   TANDEM_RETURN_IF_ERROR(RegisterIndexingOps(&OpRegistry::Global()));
#ifndef TANDEM_CORE_OPS_INDEXING_H_
#define TANDEM_CORE_OPS_INDEXING_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if the registry has one of them.
absl::Status RegisterIndexingOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_INDEXING_H_
