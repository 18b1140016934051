// Embedding: rows of a table, chosen by integers.
//
//   nn::Embedding words(10000, 128);
//   Tensor vectors = words(tokens);   // i64[16,20] to f32[16,20,128]
//
// weight is (input_dim, output_dim).
#ifndef TANDEM_FRONTENDS_CPP_NN_EMBEDDING_H_
#define TANDEM_FRONTENDS_CPP_NN_EMBEDDING_H_

#include <cstdint>
#include <string>

#include "tandem/frontends/cpp/hybrid_block.h"

namespace tandem::nn {

struct EmbeddingOptions {
  DType dtype = DType::kF32;
  InitializerPtr weight_init = nullptr;  // null: that of Block::Initialize
};

class Embedding : public HybridBlock {
 public:
  Embedding(int64_t input_dim, int64_t output_dim, EmbeddingOptions options = {});
  std::string Describe() const override;

 protected:
  Tensor HybridForward(const Tensor& x, const Params& p) override;
};

}  // namespace tandem::nn

#endif  // TANDEM_FRONTENDS_CPP_NN_EMBEDDING_H_
