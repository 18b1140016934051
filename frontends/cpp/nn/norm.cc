#include "tandem/frontends/cpp/nn/norm.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {
namespace {

Shape ChannelShape(int64_t in_channels) { return {in_channels > 0 ? in_channels : kDynamic}; }

// The size of `axis` of the input, for all parameters of the layer.
void ResolveChannels(const HybridBlock& layer, const Tensor& x, int64_t axis) {
  const auto normalized = NormalizeAxis(axis, x.rank());
  if (!normalized.ok()) {
    internal::Throw(
        Annotate(normalized.status(),
                 absl::StrCat(layer.type_name(), " '", layer.name(), "' of ", x.Describe())));
  }
  for (const ParameterPtr& parameter : layer.parameters()) {
    parameter->ResolveShape({x.shape()[*normalized]});
  }
}

}  // namespace

BatchNorm::BatchNorm(BatchNormOptions options) : options_(options) {
  const Shape shape = ChannelShape(options_.in_channels);
  auto request = [](bool trained) { return trained ? GradRequest::kWrite : GradRequest::kNone; };
  DeclareParameter(
      "gamma",
      {.shape = shape, .init = init::One(), .grad_req = request(options_.scale), .wd_mult = 0.0});
  DeclareParameter(
      "beta",
      {.shape = shape, .init = init::Zero(), .grad_req = request(options_.center), .wd_mult = 0.0});
  DeclareParameter("running_mean",
                   {.shape = shape, .init = init::Zero(), .grad_req = GradRequest::kNone});
  DeclareParameter("running_var",
                   {.shape = shape, .init = init::One(), .grad_req = GradRequest::kNone});
}

std::string BatchNorm::Describe() const {
  return absl::StrCat("axis=", options_.axis, ", momentum=", options_.momentum,
                      ", epsilon=", options_.epsilon);
}

void BatchNorm::InferParameterShapes(const TensorList& inputs) {
  ResolveChannels(*this, inputs[0], options_.axis);
}

Tensor BatchNorm::HybridForward(const Tensor& x, const Params& p) {
  const bool training = IsTraining() && !options_.use_global_stats;
  tandem::BatchNormOutputs out =
      tandem::BatchNorm(x, p["gamma"], p["beta"], p["running_mean"], p["running_var"],
                        {.axis = options_.axis,
                         .epsilon = options_.epsilon,
                         .momentum = options_.momentum,
                         .training = training});
  if (training) {
    Check(WriteVariable(parameters()[2]->variable(), out.new_mean));
    Check(WriteVariable(parameters()[3]->variable(), out.new_variance));
  }
  return out.y;
}

LayerNorm::LayerNorm(LayerNormOptions options) : options_(options) {
  const Shape shape = ChannelShape(options_.in_channels);
  auto request = [](bool trained) { return trained ? GradRequest::kWrite : GradRequest::kNone; };
  DeclareParameter(
      "gamma",
      {.shape = shape, .init = init::One(), .grad_req = request(options_.scale), .wd_mult = 0.0});
  DeclareParameter(
      "beta",
      {.shape = shape, .init = init::Zero(), .grad_req = request(options_.center), .wd_mult = 0.0});
}

std::string LayerNorm::Describe() const {
  return absl::StrCat("axis=", options_.axis, ", epsilon=", options_.epsilon);
}

void LayerNorm::InferParameterShapes(const TensorList& inputs) {
  ResolveChannels(*this, inputs[0], options_.axis);
}

Tensor LayerNorm::HybridForward(const Tensor& x, const Params& p) {
  return tandem::LayerNorm(x, p["gamma"], p["beta"],
                           {.axis = options_.axis, .epsilon = options_.epsilon})
      .y;
}

}  // namespace tandem::nn
