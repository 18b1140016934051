#include "tandem/frontends/cpp/gradient.h"

#include "absl/types/span.h"
#include "tandem/frontends/cpp/defined.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {

void RequireGrad(const Tensor& x, GradRequest request) {
  CheckDefined("RequireGrad", x);
  Check(AttachGrad(x, request));
}

void Backward(const Tensor& head, const Tensor& head_grad, const BackwardOptions& options) {
  CheckDefined("Backward", head);
  Check(Backward(absl::MakeConstSpan(&head, 1), absl::MakeConstSpan(&head_grad, 1), options));
}

}  // namespace tandem
