// Dense: a fully connected layer, y = activation(x · weightᵀ + bias).
//
//   net.Add(nn::Dense(256, {.activation = "relu"}), nn::Dense(10));
//
// Input (batch, …), flattened to (batch, in_units) unless `flatten` is false, then (…, in_units).
// Output (batch, units), or (…, units). weight is (units, in_units), bias (units).
#ifndef TANDEM_FRONTENDS_CPP_NN_DENSE_H_
#define TANDEM_FRONTENDS_CPP_NN_DENSE_H_

#include <cstdint>
#include <string>

#include "tandem/frontends/cpp/hybrid_block.h"

namespace tandem::nn {

struct DenseOptions {
  std::string activation = "";  // see activation.h
  bool use_bias = true;
  bool flatten = true;
  int64_t in_units = 0;  // 0: learnt at the first forward
  DType dtype = DType::kF32;
  InitializerPtr weight_init = nullptr;  // null: that of Block::Initialize
  InitializerPtr bias_init = nullptr;    // null: zero
};

class Dense : public HybridBlock {
 public:
  explicit Dense(int64_t units, DenseOptions options = {});
  std::string Describe() const override;

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
  void InferParameterShapes(const TensorList& inputs) override;

 private:
  const int64_t units_;
  const DenseOptions options_;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_DENSE_H_
