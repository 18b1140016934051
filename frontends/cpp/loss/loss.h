// Losses: from predictions and labels to one number for each example.
//
//   SoftmaxCrossEntropyLoss loss;
//   Tensor l = loss(net(x), labels);   // f32[batch]
//   Backward(l);
//
// Every loss is the mean over all axes but the batch's, times `weight`, and times the optional
// third input, a weight for each example, which is broadcast.
#ifndef TANDEM_FRONTENDS_CPP_LOSS_LOSS_H_
#define TANDEM_FRONTENDS_CPP_LOSS_LOSS_H_

#include <cstdint>
#include <string>

#include "tandem/frontends/cpp/hybrid_block.h"

namespace tandem {

struct LossOptions {
  double weight = 1.0;
  int64_t batch_axis = 0;
};

class Loss : public HybridBlock {
 public:
  explicit Loss(LossOptions options) : options_(options) {}

 protected:
  TensorList HybridForwardAll(const TensorList& inputs, const Params& p) override;
  // The loss before weights and mean.
  virtual Tensor Elementwise(const Tensor& prediction, const Tensor& label) = 0;

 private:
  const LossOptions options_;
};

// (prediction - label)² / 2.
class L2Loss : public Loss {
 public:
  explicit L2Loss(LossOptions options = {}) : Loss(options) {}

 protected:
  Tensor Elementwise(const Tensor& prediction, const Tensor& label) override;
};

// |prediction - label|.
class L1Loss : public Loss {
 public:
  explicit L1Loss(LossOptions options = {}) : Loss(options) {}

 protected:
  Tensor Elementwise(const Tensor& prediction, const Tensor& label) override;
};

struct SigmoidBinaryCrossEntropyOptions {
  bool from_sigmoid = false;  // predictions are probabilities already
  double weight = 1.0;
  int64_t batch_axis = 0;
};

// -(label · log p + (1 - label) · log(1 - p)) with p = sigmoid(prediction), computed so that it
// does not overflow.
class SigmoidBinaryCrossEntropyLoss : public Loss {
 public:
  explicit SigmoidBinaryCrossEntropyLoss(SigmoidBinaryCrossEntropyOptions options = {})
      : Loss({options.weight, options.batch_axis}), from_sigmoid_(options.from_sigmoid) {}

 protected:
  Tensor Elementwise(const Tensor& prediction, const Tensor& label) override;

 private:
  const bool from_sigmoid_;
};

struct SoftmaxCrossEntropyOptions {
  int64_t axis = -1;         // of the classes
  bool sparse_label = true;  // labels are class numbers; otherwise probabilities of the classes
  bool from_logits = false;  // predictions are log-probabilities already
  double weight = 1.0;
  int64_t batch_axis = 0;
};

// -log p[label] with p = softmax(prediction), or -Σ label · log p. Class numbers may be integers,
// or floating point that holds them; one that is no class gives NaN.
class SoftmaxCrossEntropyLoss : public Loss {
 public:
  explicit SoftmaxCrossEntropyLoss(SoftmaxCrossEntropyOptions options = {})
      : Loss({options.weight, options.batch_axis}), options_(options) {}

 protected:
  Tensor Elementwise(const Tensor& prediction, const Tensor& label) override;

 private:
  const SoftmaxCrossEntropyOptions options_;
};

}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_LOSS_LOSS_H_
