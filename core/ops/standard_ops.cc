#include "tandem/core/ops/standard_ops.h"

#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/creation.h"
#include "tandem/core/ops/elementwise_binary.h"
#include "tandem/core/ops/elementwise_unary.h"
#include "tandem/core/ops/random_ops.h"
#include "tandem/core/ops/shape_ops.h"

namespace tandem {

absl::Status RegisterStandardOps(OpRegistry* registry) {
  if (registry->Find("add") != nullptr) return absl::OkStatus();
  for (auto register_family : {
           RegisterElementwiseBinaryOps,
           RegisterElementwiseUnaryOps,
           RegisterCreationOps,
           RegisterRandomOps,
           RegisterShapeOps,
       }) {
    TANDEM_RETURN_IF_ERROR(register_family(registry));
  }
  return absl::OkStatus();
}

}  // namespace tandem
