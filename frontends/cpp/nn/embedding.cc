#include "tandem/frontends/cpp/nn/embedding.h"

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {

Embedding::Embedding(int64_t input_dim, int64_t output_dim, EmbeddingOptions options) {
  if (input_dim <= 0 || output_dim <= 0) {
    throw Error(absl::InvalidArgumentError(
        absl::StrCat("Embedding(", input_dim, ", ", output_dim, "): both sizes must be positive")));
  }
  DeclareParameter(
      "weight",
      {.shape = {input_dim, output_dim}, .dtype = options.dtype, .init = options.weight_init});
}

std::string Embedding::Describe() const {
  const Shape& shape = parameters()[0]->shape();
  return absl::StrCat(shape[0], ", ", shape[1]);
}

Tensor Embedding::HybridForward(const Tensor& x, const Params& p) {
  return tandem::Embedding(x, p["weight"]);
}

}  // namespace tandem::nn
