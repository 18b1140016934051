#include "tandem/frontends/cpp/nn/activation.h"

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::nn {
namespace {

enum class Kind { kNone, kRelu, kSigmoid, kTanh, kSoftplus, kGelu, kSilu };

Kind KindOf(const std::string& name) {
  if (name.empty()) return Kind::kNone;
  if (name == "relu") return Kind::kRelu;
  if (name == "sigmoid") return Kind::kSigmoid;
  if (name == "tanh") return Kind::kTanh;
  if (name == "softplus" || name == "softrelu") return Kind::kSoftplus;
  if (name == "gelu") return Kind::kGelu;
  if (name == "silu" || name == "swish") return Kind::kSilu;
  throw Error(absl::InvalidArgumentError(absl::StrCat(
      "no activation '", name, "'; there are: relu, sigmoid, tanh, softplus, gelu, silu")));
}

}  // namespace

void CheckActivation(const std::string& name) { KindOf(name); }

Tensor ApplyActivation(const std::string& name, const Tensor& x) {
  switch (KindOf(name)) {
    case Kind::kNone:
      return x;
    case Kind::kRelu:
      return Relu(x);
    case Kind::kSigmoid:
      return Sigmoid(x);
    case Kind::kTanh:
      return Tanh(x);
    case Kind::kSoftplus:
      return Softplus(x);
    case Kind::kGelu:
      return Gelu(x);
    case Kind::kSilu:
      return Silu(x);
  }
  return x;
}

Activation::Activation(std::string name) : name_(std::move(name)) { CheckActivation(name_); }

Tensor Activation::HybridForward(const Tensor& x, const Params& p) {
  return ApplyActivation(name_, x);
}

std::string LeakyReLU::Describe() const { return absl::StrCat("alpha=", alpha_); }

Tensor LeakyReLU::HybridForward(const Tensor& x, const Params& p) {
  return LeakyRelu(x, {.alpha = alpha_});
}

Tensor GELU::HybridForward(const Tensor& x, const Params& p) {
  return Gelu(x, {.approximate = tanh_ ? "tanh" : "none"});
}

}  // namespace tandem::nn
