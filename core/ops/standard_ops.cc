#include "tandem/core/ops/standard_ops.h"

#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/control_flow.h"
#include "tandem/core/ops/convolution.h"
#include "tandem/core/ops/creation.h"
#include "tandem/core/ops/elementwise_binary.h"
#include "tandem/core/ops/elementwise_unary.h"
#include "tandem/core/ops/fused.h"
#include "tandem/core/ops/indexing.h"
#include "tandem/core/ops/linear_algebra.h"
#include "tandem/core/ops/normalization.h"
#include "tandem/core/ops/pooling.h"
#include "tandem/core/ops/random_ops.h"
#include "tandem/core/ops/reduction.h"
#include "tandem/core/ops/shape_ops.h"
#include "tandem/core/ops/softmax.h"

namespace tandem {

absl::Status RegisterStandardOps(OpRegistry* registry) {
  if (registry->Find("add") != nullptr) return absl::OkStatus();
  for (auto register_family : {
           RegisterElementwiseBinaryOps,
           RegisterElementwiseUnaryOps,
           RegisterCreationOps,
           RegisterRandomOps,
           RegisterShapeOps,
           RegisterReductionOps,
           RegisterLinearAlgebraOps,
           RegisterSoftmaxOps,
           RegisterConvolutionOps,
           RegisterPoolingOps,
           RegisterNormalizationOps,
           RegisterIndexingOps,
           RegisterFusedOps,
           RegisterControlFlowOps,
       }) {
    TANDEM_RETURN_IF_ERROR(register_family(registry));
  }
  return absl::OkStatus();
}

}  // namespace tandem
