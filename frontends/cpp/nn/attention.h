// MultiHeadAttention: every position of a sequence looks at all others.
//
//   nn::MultiHeadAttention attention(256, 4);   // 4 heads of 64 units
//   Tensor y = attention(x);                    // (batch, sequence, 256) to the same
//
// Self-attention after Vaswani et al., "Attention Is All You Need", NeurIPS 2017: for each head
//   softmax(q · kᵀ / √(units / heads)) · v,
// where q, k and v are linear in x. The three projections are one product: in_proj.weight is
// (3 · units, units), its rows those of q, then k, then v, each with its heads one after another.
#ifndef TANDEM_FRONTENDS_CPP_NN_ATTENTION_H_
#define TANDEM_FRONTENDS_CPP_NN_ATTENTION_H_

#include <cstdint>
#include <string>

#include "tandem/frontends/cpp/hybrid_block.h"
#include "tandem/frontends/cpp/nn/dense.h"

namespace tandem::nn {

struct MultiHeadAttentionOptions {
  bool use_bias = true;  // in both projections
  DType dtype = DType::kF32;
  InitializerPtr weight_init = nullptr;  // null: that of Block::Initialize
};

class MultiHeadAttention : public HybridBlock {
 public:
  // INVALID_ARGUMENT unless both are positive and `heads` divides `units`.
  MultiHeadAttention(int64_t units, int64_t heads, const MultiHeadAttentionOptions& options = {});
  std::string Describe() const override;

 protected:
  // x: (batch, sequence, units).
  Tensor HybridForward(const Tensor& x, const Params& p) override;

 private:
  const int64_t units_, heads_;
  BlockRef<Dense> in_proj_, out_proj_;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_ATTENTION_H_
