#include "tandem/frontends/cpp/nn/dense.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/frontends/cpp/nn/activation.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {

Dense::Dense(int64_t units, DenseOptions options) : units_(units), options_(std::move(options)) {
  if (units <= 0 || options_.in_units < 0) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("Dense: units must be positive and in_units not negative, they are ", units,
                     " and ", options_.in_units)));
  }
  CheckActivation(options_.activation);
  DeclareParameter("weight",
                   {.shape = {units, options_.in_units > 0 ? options_.in_units : kDynamic},
                    .dtype = options_.dtype,
                    .init = options_.weight_init});
  if (options_.use_bias) {
    DeclareParameter("bias", {.shape = {units},
                              .dtype = options_.dtype,
                              .init = options_.bias_init ? options_.bias_init : init::Zero()});
  }
}

std::string Dense::Describe() const {
  return absl::StrCat(
      units_, options_.activation.empty() ? "" : ", activation=", options_.activation,
      options_.use_bias ? "" : ", use_bias=false", options_.flatten ? "" : ", flatten=false");
}

void Dense::InferParameterShapes(const TensorList& inputs) {
  const Shape& shape = inputs[0].shape();
  if (shape.rank() == 0 || (options_.flatten && shape.rank() < 2)) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("Dense '", name(), "' takes (batch, …), it was given ", inputs[0].Describe(),
                     "; ExpandDims(x, 0) makes a batch of one")));
  }
  int64_t in_units = shape.back();
  if (options_.flatten) {
    in_units = 1;
    for (int i = 1; i < shape.rank(); ++i) in_units = Value(CheckedMul(in_units, shape[i]));
  }
  parameters()[0]->ResolveShape({units_, in_units});
}

Tensor Dense::HybridForward(const Tensor& x, const Params& p) {
  const Tensor flat = options_.flatten && x.rank() > 2 ? Reshape(x, {0, -1}) : x;
  Tensor y = MatMul(flat, p["weight"], {.transpose_b = true});
  if (options_.use_bias) y += p["bias"];
  return ApplyActivation(options_.activation, y);
}

}  // namespace tandem::nn
