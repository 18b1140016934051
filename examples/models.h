// The two networks that the examples, the benchmarks and the tests share.
//
//   LeNet net;                     // (N,1,28,28) to (N,10)
//   auto mlp = MakeMlp();          // (N,512) to (N,2)
#ifndef TANDEM_EXAMPLES_MODELS_H_
#define TANDEM_EXAMPLES_MODELS_H_

#include <utility>

#include "tandem/frontends/cpp/tandem.h"

namespace tandem::examples {

// LeNet after Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
// recognition" (1998), with relu and max-pooling, and a last layer made by hand (R18).
class LeNet : public HybridBlock {
 public:
  LeNet() {
    features_ = Register("features", MakeFeatures());
    fc1_ = Register("fc1", nn::Dense(120, {.activation = "relu"}));
    fc2_ = Register("fc2", nn::Dense(84, {.activation = "relu"}));
    DeclareParameter("fc3_weight", {.shape = {10, 84}});
  }

  Tensor HybridForward(const Tensor& x, const Params& p) override {
    const Tensor flat = Reshape(features_(x), {0, -1});
    return Dot(fc2_(fc1_(flat)), p["fc3_weight"], {.transpose_b = true});
  }

 private:
  static HybridSequential MakeFeatures() {
    HybridSequential features;
    features.Add(nn::Conv2D(6, 5, {.activation = "relu"}), nn::MaxPool2D(2),
                 nn::Conv2D(16, 5, {.activation = "relu"}), nn::MaxPool2D(2));
    return features;
  }

  BlockRef<HybridSequential> features_;
  BlockRef<nn::Dense> fc1_, fc2_;
};

// The 512-256-128-2 perceptron of R10.
inline HybridSequential MakeMlp() {
  HybridSequential net;
  net.Add(nn::Dense(256, {.activation = "relu"}), nn::Dense(128, {.activation = "relu"}),
          nn::Dense(2));
  return net;
}

}  // namespace tandem::examples

#endif  // TANDEM_EXAMPLES_MODELS_H_
