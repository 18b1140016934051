// Gradients: the tape of core/autograd, as exceptions and values.
//
//   Tensor x = Array({1, 2, 3});
//   RequireGrad(x);
//   Tensor y;
//   {
//     RecordScope record;
//     y = Sum(x * x);
//   }
//   Backward(y);
//   std::cout << GradOf(x);   // [2, 4, 6]
//
// Thread rules: those of core/autograd/autograd.h.
#ifndef TANDEM_FRONTENDS_CPP_GRADIENT_H_
#define TANDEM_FRONTENDS_CPP_GRADIENT_H_

#include "tandem/core/autograd/autograd.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

// Makes the tensor a leaf whose gradient is wanted.
void RequireGrad(const Tensor& x, GradRequest request = GradRequest::kWrite);

// The gradients of all leaves that `head` depends on; `head_grad` is its own, ones if left out.
void Backward(const Tensor& head, const Tensor& head_grad = Tensor(),
              const BackwardOptions& options = {});

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_GRADIENT_H_
