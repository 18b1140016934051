#include "tandem/frontends/cpp/nn/conv2d.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/nn/activation.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {

Conv2D::Conv2D(int64_t channels, Window kernel, Conv2DOptions options)
    : channels_(channels), kernel_(std::move(kernel)), options_(std::move(options)) {
  const int64_t groups = options_.groups;
  if (channels <= 0 || groups <= 0 || channels % groups != 0 || options_.in_channels < 0 ||
      options_.in_channels % groups != 0 || kernel_.values().size() != 2) {
    throw Error(
        absl::InvalidArgumentError(absl::StrCat("Conv2D(", channels, ", ", kernel_.ToString(),
                                                "): channels and groups must be positive, "
                                                "channels and in_channels (",
                                                options_.in_channels, ") multiples of groups (",
                                                groups, "), and the kernel one or two numbers")));
  }
  CheckActivation(options_.activation);
  DeclareParameter(
      "weight",
      {.shape = {channels, options_.in_channels > 0 ? options_.in_channels / groups : kDynamic,
                 kernel_.values()[0], kernel_.values()[1]},
       .dtype = options_.dtype,
       .init = options_.weight_init});
  if (options_.use_bias) {
    DeclareParameter("bias", {.shape = {channels},
                              .dtype = options_.dtype,
                              .init = options_.bias_init ? options_.bias_init : init::Zero()});
  }
}

std::string Conv2D::Describe() const {
  return absl::StrCat(channels_, ", ", kernel_.ToString(),
                      ", strides=", options_.strides.ToString(),
                      ", padding=", options_.padding.ToString(),
                      options_.activation.empty() ? "" : ", activation=", options_.activation);
}

void Conv2D::InferParameterShapes(const TensorList& inputs) {
  const Shape& shape = inputs[0].shape();
  if (shape.rank() != 4 || shape[1] % options_.groups != 0) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("Conv2D '", name(),
                     "' takes (batch, channels, height, width) with channels a multiple of "
                     "groups=",
                     options_.groups, ", it was given ", inputs[0].Describe())));
  }
  parameters()[0]->ResolveShape(
      {channels_, shape[1] / options_.groups, kernel_.values()[0], kernel_.values()[1]});
}

Tensor Conv2D::HybridForward(const Tensor& x, const Params& p) {
  Tensor y = Conv2d(x, p["weight"],
                    {.strides = options_.strides.values(),
                     .padding = options_.padding.values(),
                     .dilation = options_.dilation.values(),
                     .groups = options_.groups});
  if (options_.use_bias) y += Reshape(p["bias"], {1, channels_, 1, 1});
  return ApplyActivation(options_.activation, y);
}

}  // namespace tandem::nn
