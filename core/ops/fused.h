// The op fused: several ops as one, so that a device can run them as one kernel.
//
// Passes make it (graph/passes/fuse_elementwise.h, fuse_epilogue.h); its body says what it computes.
//
//   TANDEM_RETURN_IF_ERROR(RegisterFusedOps(&OpRegistry::Global()));
//
// Thread rules: register once, before other threads use the registry.
#ifndef TANDEM_CORE_OPS_FUSED_H_
#define TANDEM_CORE_OPS_FUSED_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

absl::Status RegisterFusedOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_FUSED_H_
