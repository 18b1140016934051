// Initializers: the values that parameters start with.
//
//   net.Initialize(init::Xavier({.magnitude = 2.24}));
//   Dense(10, {.weight_init = init::Normal(0.01)});
//
// Draws come from the process's generator (random::Seed), so they are repeatable.
// Thread rules: constant; any thread.
#ifndef TANDEM_FRONTENDS_CPP_INITIALIZER_H_
#define TANDEM_FRONTENDS_CPP_INITIALIZER_H_

#include <memory>
#include <string>

#include "tandem/core/device/device.h"
#include "tandem/core/tensor/tensor.h"

namespace tandem {

class Initializer {
 public:
  virtual ~Initializer() = default;
  // A new tensor of this shape. Throws INVALID_ARGUMENT for a shape it cannot serve.
  virtual Tensor Create(const Shape& shape, DType dtype, Device& device) const = 0;
  // "Xavier(uniform, avg, 3)".
  virtual std::string Describe() const = 0;
};

using InitializerPtr = std::shared_ptr<const Initializer>;

namespace init {

InitializerPtr Constant(double value);
InitializerPtr Zero();
InitializerPtr One();
// Uniform in [-scale, scale).
InitializerPtr Uniform(double scale = 0.07);
InitializerPtr Normal(double sigma = 0.01);

struct XavierOptions {
  enum class Distribution { kUniform, kGaussian };
  enum class Factor { kIn, kOut, kAverage };
  Distribution distribution = Distribution::kUniform;
  Factor factor = Factor::kAverage;
  double magnitude = 3;
};
// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
// AISTATS 2010. With f = fan in, fan out, or their mean, and s = sqrt(magnitude / f): uniform in
// [-s, s), or normal with standard deviation s. For weights [out, in, …] of rank 2 or more.
InitializerPtr Xavier(const XavierOptions& options = {});
// He et al., "Delving Deep into Rectifiers", ICCV 2015: Xavier, gaussian, with magnitude
// 2 / (1 + slope²), for layers followed by a (leaky) relu.
InitializerPtr HeNormal(double slope = 0.0,
                        XavierOptions::Factor factor = XavierOptions::Factor::kIn);

}  // namespace init
}  // namespace tandem

#endif  // TANDEM_FRONTENDS_CPP_INITIALIZER_H_
