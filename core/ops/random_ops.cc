#include "tandem/core/ops/random_ops.h"

#include <cmath>
#include <string>
#include <utility>

#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

const char kPhilox[] =
    " Drawn with Philox 4x32-10 (Salmon et al., \"Parallel random numbers: as easy as 1, 2, 3\", "
    "SC 2011): a function of the state alone, with the same bits on every device.";

OpInput StateInput() { return {"state", "i64[2]: seed, offset in blocks of four 32-bit words"}; }

AttributeDef DeltaAttribute() {
  return AttributeDef::Optional("delta", 0, "added to the state's offset");
}

absl::Status CheckState(const InferContext& c, int input) {
  if (c.input(input) != TensorSpec{DType::kI64, {2}}) {
    return c.Error("the state must be i64[2]: seed, offset");
  }
  if (c.attrs().Int("delta") < 0) return c.Error("delta must not be negative");
  return absl::OkStatus();
}

// `check` looks at the parameters of the distribution.
OpDef Draw(std::string name, std::string doc, bool floating, std::vector<AttributeDef> parameters,
           absl::Status (*check)(const InferContext& c)) {
  OpDef def;
  def.name = std::move(name);
  def.doc = std::move(doc) + kPhilox;
  def.family = "random";
  def.inputs = {StateInput()};
  std::vector<AttributeDef> attributes = {
      AttributeDef::Required("shape", AttributeType::kInts, "shape of the result")};
  for (AttributeDef& parameter : parameters) attributes.push_back(std::move(parameter));
  attributes.push_back(AttributeDef::Optional(
      "dtype", DType::kF32,
      floating ? "dtype of the result, floating point" : "dtype of the result"));
  attributes.push_back(DeltaAttribute());
  def.attributes = AttributeSchema(std::move(attributes));
  def.infer = [floating, check](const InferContext& c) -> absl::StatusOr<SpecList> {
    TANDEM_RETURN_IF_ERROR(CheckState(c, 0));
    TANDEM_RETURN_IF_ERROR(check(c));
    const DType dtype = c.attrs().Type("dtype");
    if (floating && !IsFloating(dtype)) {
      return c.Error("draws floating-point numbers", "set dtype to one, and cast the result");
    }
    return SpecList{{dtype, Shape(absl::MakeConstSpan(c.attrs().Ints("shape")))}};
  };
  def.traits.differentiable = false;
  return def;
}

OpDef Uniform() {
  return Draw("random_uniform", "Uniform in [low, high): low + u (high - low).",
              /*floating=*/true,
              {AttributeDef::Optional("low", 0.0, "lower bound"),
               AttributeDef::Optional("high", 1.0, "upper bound")},
              [](const InferContext& c) -> absl::Status {
                const double low = c.attrs().Double("low");
                const double high = c.attrs().Double("high");
                if (!(low <= high) || !std::isfinite(low) || !std::isfinite(high)) {
                  return c.Error("low and high must be finite, and low not above high");
                }
                return absl::OkStatus();
              });
}

OpDef Normal() {
  return Draw(
      "random_normal", "Normal: mean + stddev * n, with n by the method of Box and Muller (1958).",
      /*floating=*/true,
      {AttributeDef::Optional("mean", 0.0, "mean"),
       AttributeDef::Optional("stddev", 1.0, "standard deviation")},
      [](const InferContext& c) -> absl::Status {
        const double stddev = c.attrs().Double("stddev");
        if (!(stddev >= 0) || !std::isfinite(stddev) || !std::isfinite(c.attrs().Double("mean"))) {
          return c.Error("mean and stddev must be finite, and stddev not negative");
        }
        return absl::OkStatus();
      });
}

OpDef Bernoulli() {
  return Draw("random_bernoulli", "1 with probability p, 0 otherwise.", /*floating=*/false,
              {AttributeDef::Optional("p", 0.5, "probability of 1")},
              [](const InferContext& c) -> absl::Status {
                const double p = c.attrs().Double("p");
                if (!(p >= 0 && p <= 1)) return c.Error("p must be in [0, 1]");
                return absl::OkStatus();
              });
}

OpDef Dropout() {
  OpDef def;
  def.name = "dropout";
  def.doc = std::string(
                "Sets elements to 0 with probability rate and multiplies the others by "
                "1 / (1 - rate). Always drops: layers call it in training only. (Srivastava et "
                "al., \"Dropout: a simple way to prevent neural networks from overfitting\", JMLR "
                "15, 2014.)") +
            kPhilox;
  def.family = "random";
  def.inputs = {{"x", "any shape, floating point"}, StateInput()};
  def.attributes = {AttributeDef::Optional("rate", 0.5, "probability of dropping, in [0, 1)"),
                    DeltaAttribute()};
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    TANDEM_RETURN_IF_ERROR(CheckState(c, 1));
    const double rate = c.attrs().Double("rate");
    if (!(rate >= 0 && rate < 1)) return c.Error("rate must be in [0, 1)");
    if (!IsFloating(c.input(0).dtype)) {
      return c.Error("x must be floating point", "cast it first");
    }
    return SpecList{c.input(0)};
  };
  // The same state drops the same elements of the gradient.
  def.vjp = [](VjpContext& c) -> absl::StatusOr<TensorList> {
    TensorList grads(2);
    if (c.has_grad(0) && c.wants(0)) {
      grads[0] = c.emit("dropout", {c.grad(), c.input(1)},
                        {{"rate", c.attrs().Double("rate")}, {"delta", c.attrs().Int("delta")}});
    }
    return c.Finish(std::move(grads));
  };
  def.vjp_inputs = 2;
  def.vjp_outputs = 0;
  def.traits.inplace_safe = true;
  return def;
}

}  // namespace

absl::Status RegisterRandomOps(OpRegistry* registry) {
  for (auto define : {Uniform, Normal, Bernoulli, Dropout}) {
    TANDEM_RETURN_IF_ERROR(registry->Register(define()));
  }
  return absl::OkStatus();
}

}  // namespace tandem
