// Layers without parameters: Flatten, Dropout, Lambda, HybridLambda.
//
//   net.Add(nn::Flatten(), nn::Dropout(0.5),
//           nn::HybridLambda([](const Tensor& x) { return x * 2; }));
#ifndef TANDEM_FRONTENDS_CPP_NN_BASIC_H_
#define TANDEM_FRONTENDS_CPP_NN_BASIC_H_

#include <functional>
#include <string>

#include "tandem/frontends/cpp/hybrid_block.h"

namespace tandem::nn {

// (batch, …) to (batch, all the rest).
class Flatten : public HybridBlock {
 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
};

// In training mode (RecordScope, TrainingScope) sets each element to zero with probability `rate`,
// 0 <= rate < 1, and scales the others by 1 / (1 - rate); otherwise gives its input. Srivastava et
// al., "Dropout", JMLR 2014.
class Dropout : public HybridBlock {
 public:
  explicit Dropout(double rate = 0.5);
  std::string Describe() const override;

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;

 private:
  const double rate_;
};

// A function as a block that cannot be compiled.
class Lambda : public Block {
 public:
  explicit Lambda(std::function<Tensor(const Tensor&)> function);

 protected:
  Tensor Forward(const Tensor& x) override { return function_(x); }

 private:
  const std::function<Tensor(const Tensor&)> function_;
};

// A function of ops as a block that can.
class HybridLambda : public HybridBlock {
 public:
  explicit HybridLambda(std::function<Tensor(const Tensor&)> function);

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override { return function_(x); }

 private:
  const std::function<Tensor(const Tensor&)> function_;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_BASIC_H_
