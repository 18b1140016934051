// All op definitions that come with Tandem.
//
//   TANDEM_RETURN_IF_ERROR(RegisterStandardOps(&OpRegistry::Global()));
//
// Thread rules: any thread; the calls for one registry must not overlap.
#ifndef TANDEM_CORE_OPS_STANDARD_OPS_H_
#define TANDEM_CORE_OPS_STANDARD_OPS_H_

#include "absl/status/status.h"
#include "tandem/core/op/op_def.h"

namespace tandem {

// Does nothing if they are there already.
absl::Status RegisterStandardOps(OpRegistry* registry);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_STANDARD_OPS_H_
