#include "tandem/frontends/cpp/nn/pool2d.h"

#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {
namespace {

IntList Strides(const Pool2DOptions& options) {
  return options.strides.has_value() ? IntList(options.strides->values()) : IntList();
}

}  // namespace

Tensor MaxPool2D::HybridForward(const Tensor& x, const Params& p) {
  return MaxPool2d(x, kernel_.values(),
                   {.strides = Strides(options_),
                    .padding = options_.padding.values(),
                    .ceil_mode = options_.ceil_mode});
}

Tensor AvgPool2D::HybridForward(const Tensor& x, const Params& p) {
  return AvgPool2d(x, kernel_.values(),
                   {.strides = Strides(options_),
                    .padding = options_.padding.values(),
                    .ceil_mode = options_.ceil_mode,
                    .count_include_pad = options_.count_include_pad});
}

Tensor GlobalMaxPool2D::HybridForward(const Tensor& x, const Params& p) {
  return GlobalMaxPool2d(x);
}

Tensor GlobalAvgPool2D::HybridForward(const Tensor& x, const Params& p) {
  return GlobalAvgPool2d(x);
}

}  // namespace tandem::nn
