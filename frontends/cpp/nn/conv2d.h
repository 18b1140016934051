// Conv2D: a convolution over images.
//
//   net.Add(nn::Conv2D(6, 5, {.activation = "relu"}));   // 6 channels, a 5 by 5 kernel
//
// Input (batch, in_channels, height, width), output (batch, channels, out_height, out_width) with
//   out = floor((in + padding before and after - dilation · (kernel - 1) - 1) / stride) + 1.
// weight is (channels, in_channels / groups, kernel height, kernel width), bias (channels).
#ifndef TANDEM_FRONTENDS_CPP_NN_CONV2D_H_
#define TANDEM_FRONTENDS_CPP_NN_CONV2D_H_

#include <cstdint>
#include <string>

#include "tandem/frontends/cpp/hybrid_block.h"
#include "tandem/frontends/cpp/nn/window.h"

namespace tandem::nn {

struct Conv2DOptions {
  Window strides = 1;
  Window padding = 0;  // also {top, left, bottom, right}
  Window dilation = 1;
  int64_t groups = 1;
  int64_t in_channels = 0;  // 0: learnt at the first forward
  std::string activation = "";
  bool use_bias = true;
  DType dtype = DType::kF32;
  InitializerPtr weight_init = nullptr;  // null: that of Block::Initialize
  InitializerPtr bias_init = nullptr;    // null: zero
};

class Conv2D : public HybridBlock {
 public:
  Conv2D(int64_t channels, Window kernel, Conv2DOptions options = {});
  std::string Describe() const override;

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
  void InferParameterShapes(const TensorList& inputs) override;

 private:
  const int64_t channels_;
  const Window kernel_;
  const Conv2DOptions options_;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_CONV2D_H_
