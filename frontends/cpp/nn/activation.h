// Activations as layers, and by name.
//
//   net.Add(nn::Activation("relu"), nn::LeakyReLU(0.1), nn::GELU());
#ifndef TANDEM_FRONTENDS_CPP_NN_ACTIVATION_H_
#define TANDEM_FRONTENDS_CPP_NN_ACTIVATION_H_

#include <string>
#include <utility>

#include "tandem/frontends/cpp/hybrid_block.h"

namespace tandem::nn {

// "relu", "sigmoid", "tanh", "softplus" (also "softrelu"), "gelu", "silu" (also "swish"), or "" for
// none. INVALID_ARGUMENT lists them.
void CheckActivation(const std::string& name);
Tensor ApplyActivation(const std::string& name, const Tensor& x);

class Activation : public HybridBlock {
 public:
  explicit Activation(std::string name);
  std::string Describe() const override { return name_; }

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;

 private:
  const std::string name_;
};

// x where x > 0, alpha · x elsewhere.
class LeakyReLU : public HybridBlock {
 public:
  explicit LeakyReLU(double alpha = 0.01) : alpha_(alpha) {}
  std::string Describe() const override;

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;

 private:
  const double alpha_;
};

// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016: x · Φ(x), exact or by tanh.
class GELU : public HybridBlock {
 public:
  explicit GELU(bool tanh_approximation = false) : tanh_(tanh_approximation) {}
  std::string Describe() const override { return tanh_ ? "tanh" : ""; }

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;

 private:
  const bool tanh_;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_ACTIVATION_H_
