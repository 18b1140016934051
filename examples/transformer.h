// A transformer encoder block.
//
//   TransformerBlock block({.units = 256, .heads = 4, .hidden = 1024});
//   Tensor y = block(x);   // (batch, sequence, 256) to the same
#ifndef TANDEM_EXAMPLES_TRANSFORMER_H_
#define TANDEM_EXAMPLES_TRANSFORMER_H_

#include <cstdint>

#include "tandem/frontends/cpp/tandem.h"

namespace tandem::examples {

struct TransformerOptions {
  int64_t units = 256;
  int64_t heads = 4;
  int64_t hidden = 1024;  // of the feed-forward part
};

// A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, with the normalization in front of
// each part (R. Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020)
// and GELU. No dropout.
class TransformerBlock : public HybridBlock {
 public:
  explicit TransformerBlock(const TransformerOptions& options = {}) {
    norm1_ = Register("norm1", nn::LayerNorm({.in_channels = options.units}));
    attention_ = Register("attention", nn::MultiHeadAttention(options.units, options.heads));
    norm2_ = Register("norm2", nn::LayerNorm({.in_channels = options.units}));
    ffn1_ = Register(
        "ffn1", nn::Dense(options.hidden,
                          {.activation = "gelu", .flatten = false, .in_units = options.units}));
    ffn2_ =
        Register("ffn2", nn::Dense(options.units, {.flatten = false, .in_units = options.hidden}));
  }

  Tensor HybridForward(const Tensor& x, const Params& p) override {
    const Tensor h = x + attention_(norm1_(x));
    return h + ffn2_(ffn1_(norm2_(h)));
  }

 private:
  BlockRef<nn::LayerNorm> norm1_, norm2_;
  BlockRef<nn::MultiHeadAttention> attention_;
  BlockRef<nn::Dense> ffn1_, ffn2_;
};

}  // namespace tandem::examples

#endif  // TANDEM_EXAMPLES_TRANSFORMER_H_
