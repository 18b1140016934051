// Definitions of the ops softmax, log_softmax and cross_entropy.
//
//   TANDEM_RETURN_IF_ERROR(RegisterSoftmaxOps(&OpRegistry::Global()));
#ifndef TANDEM_CORE_OPS_SOFTMAX_H_
#define TANDEM_CORE_OPS_SOFTMAX_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// ALREADY_EXISTS if the registry has one of them.
absl::Status RegisterSoftmaxOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_SOFTMAX_H_
