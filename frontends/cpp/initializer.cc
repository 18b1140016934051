#include "tandem/frontends/cpp/initializer.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tandem/frontends/cpp/array.h"
#include "tandem/frontends/cpp/ops.h"

namespace tandem::init {
namespace {

class ConstantInitializer : public Initializer {
 public:
  explicit ConstantInitializer(double value) : value_(value) {}
  Tensor Create(const Shape& shape, DType dtype, Device& device) const override {
    return Full(shape, value_, {.dtype = dtype}, &device);
  }
  std::string Describe() const override { return absl::StrCat("Constant(", value_, ")"); }

 private:
  const double value_;
};

class UniformInitializer : public Initializer {
 public:
  explicit UniformInitializer(double scale) : scale_(scale) {}
  Tensor Create(const Shape& shape, DType dtype, Device& device) const override {
    return RandomUniform(shape, -scale_, scale_, dtype, &device);
  }
  std::string Describe() const override { return absl::StrCat("Uniform(", scale_, ")"); }

 private:
  const double scale_;
};

class NormalInitializer : public Initializer {
 public:
  explicit NormalInitializer(double sigma) : sigma_(sigma) {}
  Tensor Create(const Shape& shape, DType dtype, Device& device) const override {
    return RandomNormal(shape, 0.0, sigma_, dtype, &device);
  }
  std::string Describe() const override { return absl::StrCat("Normal(", sigma_, ")"); }

 private:
  const double sigma_;
};

class XavierInitializer : public Initializer {
 public:
  explicit XavierInitializer(const XavierOptions& options) : options_(options) {}

  Tensor Create(const Shape& shape, DType dtype, Device& device) const override {
    if (shape.rank() < 2) {
      throw Error(absl::InvalidArgumentError(
          absl::StrCat(Describe(), " needs a weight of rank 2 or more, this has shape ",
                       shape.ToString(), "; use Zero, Normal or Uniform for it")));
    }
    double kernel = 1;
    for (int i = 2; i < shape.rank(); ++i) kernel *= static_cast<double>(shape[i]);
    const double fan_in = kernel * static_cast<double>(shape[1]);
    const double fan_out = kernel * static_cast<double>(shape[0]);
    double fan = (fan_in + fan_out) / 2;
    if (options_.factor == XavierOptions::Factor::kIn) fan = fan_in;
    if (options_.factor == XavierOptions::Factor::kOut) fan = fan_out;
    const double scale = fan > 0 ? std::sqrt(options_.magnitude / fan) : 0.0;
    if (options_.distribution == XavierOptions::Distribution::kUniform) {
      return RandomUniform(shape, -scale, scale, dtype, &device);
    }
    return RandomNormal(shape, 0.0, scale, dtype, &device);
  }

  std::string Describe() const override {
    const bool uniform = options_.distribution == XavierOptions::Distribution::kUniform;
    const char* const factor = options_.factor == XavierOptions::Factor::kIn    ? "in"
                               : options_.factor == XavierOptions::Factor::kOut ? "out"
                                                                                : "avg";
    return absl::StrCat("Xavier(", uniform ? "uniform" : "gaussian", ", ", factor, ", ",
                        options_.magnitude, ")");
  }

 private:
  const XavierOptions options_;
};

}  // namespace

InitializerPtr Constant(double value) { return std::make_shared<ConstantInitializer>(value); }
InitializerPtr Zero() { return Constant(0.0); }
InitializerPtr One() { return Constant(1.0); }
InitializerPtr Uniform(double scale) { return std::make_shared<UniformInitializer>(scale); }
InitializerPtr Normal(double sigma) { return std::make_shared<NormalInitializer>(sigma); }
InitializerPtr Xavier(const XavierOptions& options) {
  return std::make_shared<XavierInitializer>(options);
}
InitializerPtr HeNormal(double slope, XavierOptions::Factor factor) {
  return Xavier({.distribution = XavierOptions::Distribution::kGaussian,
                 .factor = factor,
                 .magnitude = 2.0 / (1.0 + slope * slope)});
}

}  // namespace tandem::init
