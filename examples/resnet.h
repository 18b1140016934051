// ResNet-18, for images of 3 channels.
//
//   ResNet18 net(1000);
//   Tensor scores = net(images);   // (batch, 3, 224, 224) to (batch, 1000)
#ifndef TANDEM_EXAMPLES_RESNET_H_
#define TANDEM_EXAMPLES_RESNET_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/tandem.h"

namespace tandem::examples {

// Two 3 × 3 convolutions and a way around them, which a 1 × 1 convolution fits to the output where
// the shapes differ.
class BasicBlock : public HybridBlock {
 public:
  BasicBlock(int64_t in_channels, int64_t channels, int64_t stride) {
    conv1_ = Register("conv1", Convolution(channels, 3, stride, 1));
    bn1_ = Register("bn1", nn::BatchNorm());
    conv2_ = Register("conv2", Convolution(channels, 3, 1, 1));
    bn2_ = Register("bn2", nn::BatchNorm());
    if (stride == 1 && in_channels == channels) return;
    HybridSequential projection;
    projection.AddNamed("conv", Convolution(channels, 1, stride, 0));
    projection.AddNamed("bn", nn::BatchNorm());
    around_ = Register("around", std::move(projection)).ptr();
  }

  Tensor HybridForward(const Tensor& x, const Params& p) override {
    const Tensor h = Relu(bn1_(conv1_(x)));
    return Relu(bn2_(conv2_(h)) + (around_ != nullptr ? (*around_)(x) : x));
  }

 private:
  // BatchNorm adds the bias.
  static nn::Conv2D Convolution(int64_t channels, int64_t kernel, int64_t stride, int64_t padding) {
    return nn::Conv2D(channels, kernel, {.strides = stride, .padding = padding, .use_bias = false});
  }

  BlockRef<nn::Conv2D> conv1_, conv2_;
  BlockRef<nn::BatchNorm> bn1_, bn2_;
  std::shared_ptr<HybridSequential> around_;  // null: x itself
};

// K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016: the
// network of 18 layers.
class ResNet18 : public HybridBlock {
 public:
  explicit ResNet18(int64_t classes = 1000) {
    conv1_ = Register("conv1", nn::Conv2D(64, 7, {.strides = 2, .padding = 3, .use_bias = false}));
    bn1_ = Register("bn1", nn::BatchNorm());
    HybridSequential stages;
    int64_t in_channels = 64;
    for (const int64_t channels : {64, 128, 256, 512}) {
      for (const bool first : {true, false}) {
        const int64_t stride = first && channels > 64 ? 2 : 1;
        stages.AddNamed(absl::StrCat("stage", channels, first ? "a" : "b"),
                        BasicBlock(in_channels, channels, stride));
        in_channels = channels;
      }
    }
    stages_ = Register("stages", std::move(stages));
    fc_ = Register("fc", nn::Dense(classes));
  }

  Tensor HybridForward(const Tensor& x, const Params& p) override {
    const Tensor h =
        MaxPool2d(Relu(bn1_(conv1_(x))), {3, 3}, {.strides = {2, 2}, .padding = {1, 1}});
    return fc_(GlobalAvgPool2d(stages_(h)));
  }

 private:
  BlockRef<nn::Conv2D> conv1_;
  BlockRef<nn::BatchNorm> bn1_;
  BlockRef<HybridSequential> stages_;
  BlockRef<nn::Dense> fc_;
};

}  // namespace tandem::examples

#endif  // TANDEM_EXAMPLES_RESNET_H_
