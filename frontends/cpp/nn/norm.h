// Normalization layers: BatchNorm, LayerNorm.
//
//   net.Add(nn::Conv2D(16, 3), nn::BatchNorm(), nn::Activation("relu"));
#ifndef TANDEM_FRONTENDS_CPP_NN_NORM_H_
#define TANDEM_FRONTENDS_CPP_NN_NORM_H_

#include <cstdint>
#include <string>

#include "tandem/frontends/cpp/hybrid_block.h"

namespace tandem::nn {

struct BatchNormOptions {
  int64_t axis = 1;  // of the channels
  double momentum = 0.9;
  double epsilon = 1e-5;
  bool center = true;             // train beta
  bool scale = true;              // train gamma
  bool use_global_stats = false;  // the running statistics also in training mode
  int64_t in_channels = 0;        // 0: learnt at the first forward
};

// Ioffe and Szegedy, "Batch Normalization", ICML 2015. In training mode normalizes by the batch's
// mean and variance, and updates the running ones (running = momentum · running + (1 - momentum) ·
// batch); otherwise normalizes by the running ones. Parameters gamma, beta, running_mean,
// running_var, each (channels).
class BatchNorm : public HybridBlock {
 public:
  explicit BatchNorm(BatchNormOptions options = {});
  std::string Describe() const override;

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
  void InferParameterShapes(const TensorList& inputs) override;

 private:
  const BatchNormOptions options_;
};

struct LayerNormOptions {
  int64_t axis = -1;
  double epsilon = 1e-5;
  bool center = true;
  bool scale = true;
  int64_t in_channels = 0;
};

// Ba, Kiros and Hinton, "Layer Normalization", 2016: over one axis of each example. Parameters
// gamma and beta, each of that axis' size.
class LayerNorm : public HybridBlock {
 public:
  explicit LayerNorm(LayerNormOptions options = {});
  std::string Describe() const override;

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
  void InferParameterShapes(const TensorList& inputs) override;

 private:
  const LayerNormOptions options_;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_NORM_H_
