#include "tandem/frontends/cpp/gradient.h"

#include "absl/types/span.h"
#include "tandem/frontends/cpp/error.h"

namespace tandem {

void RequireGrad(const Tensor& x, GradRequest request) { Check(AttachGrad(x, request)); }

void Backward(const Tensor& head, const Tensor& head_grad, const BackwardOptions& options) {
  Check(Backward(absl::MakeConstSpan(&head, 1), absl::MakeConstSpan(&head_grad, 1), options));
}

}  // namespace tandem
