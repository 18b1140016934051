#include "tandem/core/ops/creation.h"

#include <cmath>
#include <utility>

#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

OpDef Full() {
  OpDef def;
  def.name = "full";
  def.doc = "A tensor whose elements all are one value, converted to the dtype as cast does.";
  def.family = "creation";
  def.attributes = {
      AttributeDef::Required("shape", AttributeType::kInts, "shape of the result"),
      AttributeDef::Required("value", AttributeType::kDouble, "the value"),
      AttributeDef::Optional("dtype", DType::kF32, "dtype of the result"),
  };
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    return SpecList{{c.attrs().Type("dtype"), Shape(absl::MakeConstSpan(c.attrs().Ints("shape")))}};
  };
  def.traits.differentiable = false;
  return def;
}

OpDef Arange() {
  OpDef def;
  def.name = "arange";
  def.doc =
      "start, start + step, start + 2 step, …: element i is start + i * step, calculated in f64 "
      "and converted to the dtype as cast does.";
  def.family = "creation";
  def.attributes = {
      AttributeDef::Optional("start", 0.0, "the first element"),
      AttributeDef::Optional("step", 1.0, "difference of neighbours"),
      AttributeDef::Required("count", AttributeType::kInt, "number of elements"),
      AttributeDef::Optional("dtype", DType::kF32, "dtype of the result"),
  };
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    if (c.attrs().Int("count") < 0) return c.Error("count must not be negative");
    if (!std::isfinite(c.attrs().Double("start")) || !std::isfinite(c.attrs().Double("step"))) {
      return c.Error("start and step must be finite");
    }
    if (c.attrs().Type("dtype") == DType::kBool) {
      return c.Error("is not defined for bool", "cast the result, or compare it");
    }
    return SpecList{{c.attrs().Type("dtype"), {c.attrs().Int("count")}}};
  };
  def.traits.differentiable = false;
  return def;
}

}  // namespace

absl::Status RegisterCreationOps(OpRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(registry->Register(Full()));
  return registry->Register(Arange());
}

}  // namespace tandem
