#include "tandem/frontends/cpp/nn/basic.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {
namespace {

std::function<Tensor(const Tensor&)> NotNull(std::function<Tensor(const Tensor&)> function,
                                             absl::string_view layer) {
  if (function == nullptr) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(layer, ": it was given no function")));
  }
  return function;
}

}  // namespace

Tensor Flatten::HybridForward(const Tensor& x, const Params& p) {
  return x.rank() == 1 ? ExpandDims(x, 1) : Reshape(x, {0, -1});
}

Dropout::Dropout(double rate) : rate_(rate) {
  if (!(rate >= 0.0 && rate < 1.0)) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("Dropout: the rate must be in [0, 1), it is ", rate)));
  }
}

std::string Dropout::Describe() const { return absl::StrCat(rate_); }

Tensor Dropout::HybridForward(const Tensor& x, const Params& p) {
  if (!IsTraining() || rate_ == 0.0) return x;
  Device& device = x.device() != nullptr ? *x.device() : DefaultDevice();
  // A block of the generator is four 32-bit words, one for each element.
  const RandomState draw = Value(NextRandom(device, DivideRoundUp(x.num_elements(), 4)));
  return tandem::Dropout(x, draw.state, {.rate = rate_, .delta = draw.delta});
}

Lambda::Lambda(std::function<Tensor(const Tensor&)> function)
    : function_(NotNull(std::move(function), "Lambda")) {}

HybridLambda::HybridLambda(std::function<Tensor(const Tensor&)> function)
    : function_(NotNull(std::move(function), "HybridLambda")) {}

}  // namespace tandem::nn
