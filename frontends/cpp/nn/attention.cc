#include "tandem/frontends/cpp/nn/attention.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {

MultiHeadAttention::MultiHeadAttention(int64_t units, int64_t heads,
                                       const MultiHeadAttentionOptions& options)
    : units_(units), heads_(heads) {
  if (units <= 0 || heads <= 0 || units % heads != 0) {
    throw Error(absl::InvalidArgumentError(absl::StrCat(
        "MultiHeadAttention: units and heads must be positive, and units a multiple of heads; they "
        "are ",
        units, " and ", heads)));
  }
  const DenseOptions projection = {.use_bias = options.use_bias,
                                   .flatten = false,
                                   .in_units = units,
                                   .dtype = options.dtype,
                                   .weight_init = options.weight_init};
  in_proj_ = Register("in_proj", Dense(Value(CheckedMul(units, int64_t{3})), projection));
  out_proj_ = Register("out_proj", Dense(units, projection));
}

std::string MultiHeadAttention::Describe() const {
  return absl::StrCat(units_, ", heads=", heads_);
}

Tensor MultiHeadAttention::HybridForward(const Tensor& x, const Params& p) {
  if (x.rank() != 3 || x.shape()[2] != units_) {
    throw Error(absl::InvalidArgumentError(absl::StrCat("MultiHeadAttention '", name(),
                                                        "' takes (batch, sequence, ", units_,
                                                        "), it was given ", x.Describe())));
  }
  const TensorList qkv = Split(in_proj_(x), {.axis = 2, .sections = 3});
  const auto by_head = [&](const Tensor& t) {  // (batch, heads, sequence, units / heads)
    return Transpose(Reshape(t, {0, 0, heads_, -1}), {.axes = {0, 2, 1, 3}});
  };
  // Scaling the queries is less work than scaling the scores, wherever a sequence is longer than a
  // head is wide.
  const double scale = 1.0 / std::sqrt(static_cast<double>(units_ / heads_));
  const Tensor scores = MatMul(by_head(qkv[0]) * scale, by_head(qkv[1]), {.transpose_b = true});
  const Tensor mixed = MatMul(Softmax(scores), by_head(qkv[2]));
  return out_proj_(Reshape(Transpose(mixed, {.axes = {0, 2, 1, 3}}), {0, 0, -1}));
}

}  // namespace tandem::nn
