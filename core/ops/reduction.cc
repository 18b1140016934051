#include "tandem/core/ops/reduction.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

// Of an op whose use was inferred, so its axes are valid.
ReductionGeometry GeometryOf(const Shape& input, const AttributeMap& attrs) {
  return ReductionGeometry::Create(input, attrs.Ints("axes"), attrs.Bool("keepdims"))
      .value_or(ReductionGeometry());
}

// The axes that `geometry` reduces; none for a scalar.
std::vector<int64_t> ReducedAxes(const ReductionGeometry& geometry, int rank) {
  std::vector<int64_t> axes;
  for (int i = 0; i < rank; ++i) {
    if (geometry.reduced[i]) axes.push_back(i);
  }
  return axes;
}

DType SumDType(DType dtype) { return IsFloating(dtype) ? dtype : DType::kI64; }
DType MeanDType(DType dtype) { return IsFloating(dtype) ? dtype : DType::kF32; }
DType SameDType(DType dtype) { return dtype; }

InferFn InferReduction(DType (*result_dtype)(DType), bool needs_elements) {
  return [=](const InferContext& c) -> absl::StatusOr<SpecList> {
    const TensorSpec& x = c.input(0);
    TANDEM_ASSIGN_OR_RETURN(const ReductionGeometry g,
                            Explain(c, ReductionGeometry::Create(x.shape, c.attrs().Ints("axes"),
                                                                 c.attrs().Bool("keepdims"))));
    if (needs_elements && g.count == 0 && g.output.num_elements() != 0) {
      return c.Error("no elements have no " + c.op().name + ": a reduced axis has size 0",
                     "keep that axis, or concat a value in front");
    }
    return SpecList{{result_dtype(x.dtype), g.output}};
  };
}

absl::StatusOr<TensorList> SumVjp(VjpContext& c) {
  const Shape& shape = c.input(0).shape();
  const Tensor g = ReshapeTo(c.emit, c.grad(), GeometryOf(shape, c.attrs()).kept);
  return c.Finish({c.emit("broadcast_to", {g}, {{"shape", shape}})});
}

absl::StatusOr<TensorList> MeanVjp(VjpContext& c) {
  const Tensor& x = c.input(0);
  const ReductionGeometry geometry = GeometryOf(x.shape(), c.attrs());
  Tensor g = DivideByCount(c.emit, Wide(c.emit, c.grad()), geometry.count);
  g = ReshapeTo(c.emit, c.emit.Cast(g, x.dtype()), geometry.kept);
  return c.Finish({c.emit("broadcast_to", {g}, {{"shape", x.shape()}})});
}

// The elements that are the extremum share the gradient evenly. Where the extremum is NaN, the NaN
// elements do.
absl::StatusOr<TensorList> ExtremumVjp(VjpContext& c) {
  const Tensor& x = c.input(0);
  const ReductionGeometry geometry = GeometryOf(x.shape(), c.attrs());
  const std::vector<int64_t> axes = ReducedAxes(geometry, x.rank());
  const Tensor y = ReshapeTo(c.emit, c.output(0), geometry.kept);
  const Tensor g = ReshapeTo(c.emit, Wide(c.emit, c.grad()), geometry.kept);
  const Tensor chosen = c.emit("logical_or", {c.emit("equal", {x, y}), c.emit("isnan", {x})});
  const Tensor ones = c.emit("cast", {chosen}, {{"dtype", WideDType(x.dtype())}});
  const Tensor ties =
      axes.empty() ? ones : c.emit("sum", {ones}, {{"axes", axes}, {"keepdims", true}});
  const Tensor share = c.emit.Cast(c.emit("div", {g, ties}), x.dtype());
  return c.Finish({c.emit("where", {chosen, share, c.emit.Full(0.0, x)})});
}

// x[begin:end] along the last axis.
Tensor SliceLast(Emitter& emit, const Tensor& x, const Shape& shape, int64_t begin, int64_t end) {
  std::vector<int64_t> begins(shape.rank(), 0);
  std::vector<int64_t> ends(shape.begin(), shape.end());
  begins.back() = begin;
  ends.back() = end;
  return emit("slice", {x}, {{"begin", begins}, {"end", ends}});
}

// Ones put before and after along the last axis.
Tensor PadLastWithOnes(Emitter& emit, const Tensor& x, int rank, int64_t before, int64_t after) {
  std::vector<int64_t> befores(rank, 0);
  std::vector<int64_t> afters(rank, 0);
  befores.back() = before;
  afters.back() = after;
  return emit("pad", {x}, {{"before", befores}, {"after", afters}, {"value", 1.0}});
}

// Element i is the product of the elements before i (after i, if `reverse`) along the last axis, by
// doubling: log2(n) multiplications of whole tensors (Hillis and Steele, "Data parallel
// algorithms", CACM 29(12), 1986).
Tensor ExclusiveProduct(Emitter& emit, const Tensor& x, const Shape& shape, bool reverse) {
  const int64_t n = shape.back();
  auto shifted = [&](const Tensor& t, int64_t by) {
    return reverse
               ? PadLastWithOnes(emit, SliceLast(emit, t, shape, by, n), shape.rank(), 0, by)
               : PadLastWithOnes(emit, SliceLast(emit, t, shape, 0, n - by), shape.rank(), by, 0);
  };
  Tensor product = shifted(x, 1);
  for (int64_t by = 1; by < n - 1; by *= 2) {
    product = emit("mul", {product, shifted(product, by)});
  }
  return product;
}

// The gradient of element i is the product of all others. Dividing the whole product by x[i] would
// fail at zeros, and its own gradient too, so the others are multiplied.
absl::StatusOr<TensorList> ProdVjp(VjpContext& c) {
  const Tensor& x = c.input(0);
  const Shape& shape = x.shape();
  if (shape.num_elements() == 0) return c.Finish({c.emit.FullLike(0.0, x)});
  const ReductionGeometry geometry = GeometryOf(shape, c.attrs());
  // The reduced axes behind the others, then as one.
  std::vector<int64_t> permutation;
  Shape moved;
  Shape flat;
  for (bool reduced : {false, true}) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (geometry.reduced[i] != reduced) continue;
      permutation.push_back(i);
      moved.push_back(shape[i]);
      if (!reduced) flat.push_back(shape[i]);
    }
  }
  if (flat.rank() == shape.rank()) {  // a scalar: its product is itself
    return c.Finish({c.grad()});
  }
  Shape column = flat;
  column.push_back(1);
  flat.push_back(geometry.count);
  std::vector<int64_t> inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) inverse[permutation[i]] = static_cast<int64_t>(i);
  const bool move = !std::is_sorted(permutation.begin(), permutation.end());

  Tensor values = Wide(c.emit, x);
  if (move) values = c.emit("transpose", {values}, {{"axes", permutation}});
  values = ReshapeTo(c.emit, values, flat);
  Tensor grad = ReshapeTo(c.emit, Wide(c.emit, c.grad()), column);
  if (geometry.count > 1) {
    grad = c.emit("mul", {grad, c.emit("mul", {ExclusiveProduct(c.emit, values, flat, false),
                                               ExclusiveProduct(c.emit, values, flat, true)})});
  }
  grad = ReshapeTo(c.emit, grad, moved);
  if (move) grad = c.emit("transpose", {grad}, {{"axes", inverse}});
  return c.Finish({c.emit.Cast(grad, x.dtype())});
}

absl::Status RegisterReduction(OpRegistry* registry, std::string name, std::string doc,
                               DType (*result_dtype)(DType), bool needs_elements, VjpFn vjp,
                               uint64_t vjp_inputs, uint64_t vjp_outputs) {
  OpDef def;
  def.name = std::move(name);
  def.doc = std::move(doc);
  def.family = "reduction";
  def.inputs = {{"x", "any shape"}};
  def.attributes = {
      AttributeDef::Optional("axes", std::vector<int64_t>{},
                             "axes to reduce, negative ones from the end; [] is all axes"),
      AttributeDef::Optional("keepdims", false, "keep each reduced axis with size 1"),
  };
  def.infer = InferReduction(result_dtype, needs_elements);
  def.vjp = std::move(vjp);
  def.vjp_inputs = vjp_inputs;
  def.vjp_outputs = vjp_outputs;
  return registry->Register(std::move(def));
}

absl::StatusOr<SpecList> InferArg(const InferContext& c) {
  const TensorSpec& x = c.input(0);
  TANDEM_ASSIGN_OR_RETURN(const AxisGeometry axis,
                          Explain(c, AxisGeometry::Create(x.shape, c.attrs().Int("axis"))));
  const int64_t axes[] = {axis.axis};
  TANDEM_ASSIGN_OR_RETURN(
      const ReductionGeometry g,
      Explain(c, ReductionGeometry::Create(x.shape, axes, c.attrs().Bool("keepdims"))));
  if (axis.size == 0 && g.output.num_elements() != 0) {
    return c.Error(
        absl::StrCat("no elements have no ", c.op().name, ": axis ", axis.axis, " has size 0"));
  }
  return SpecList{{DType::kI64, g.output}};
}

absl::Status RegisterArg(OpRegistry* registry, std::string name, absl::string_view extremum) {
  OpDef def;
  def.name = std::move(name);
  def.doc = absl::StrCat("The index (i64) of the ", extremum,
                         " element along an axis, the first one on ties; a NaN counts as the ",
                         extremum, " (as in NumPy). The axis must not be empty.");
  def.family = "reduction";
  def.inputs = {{"x", "rank 1 or more"}};
  def.attributes = {
      AttributeDef::Optional("axis", -1, "axis to search, negative from the end"),
      AttributeDef::Optional("keepdims", false, "keep the axis with size 1"),
  };
  def.infer = InferArg;
  def.traits.differentiable = false;
  def.vjp_inputs = 0;
  def.vjp_outputs = 0;
  return registry->Register(std::move(def));
}

}  // namespace

absl::Status RegisterReductionOps(OpRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(RegisterReduction(
      registry, "sum",
      "Sum over axes. Floating-point dtypes are kept; integers and bool are summed in i64, which "
      "wraps. No elements sum to 0.",
      SumDType, /*needs_elements=*/false, SumVjp, 0, 0));
  TANDEM_RETURN_IF_ERROR(RegisterReduction(
      registry, "mean",
      "Arithmetic mean over axes: sum / count. Floating-point dtypes are kept; integers and bool "
      "give f32. The mean of no elements is NaN.",
      MeanDType, /*needs_elements=*/false, MeanVjp, 0, 0));
  TANDEM_RETURN_IF_ERROR(RegisterReduction(
      registry, "prod",
      "Product over axes. Floating-point dtypes are kept; integers and bool are multiplied in i64, "
      "which wraps. The product of no elements is 1. The gradient of an element is the product of "
      "the others, also where some are 0.",
      SumDType, /*needs_elements=*/false, ProdVjp, 0b1, 0));
  TANDEM_RETURN_IF_ERROR(RegisterReduction(
      registry, "max",
      "Largest element over axes, NaN if one is NaN; keeps the dtype. No elements have no maximum: "
      "an error. Equal largest elements share the gradient evenly.",
      SameDType, /*needs_elements=*/true, ExtremumVjp, 0b1, 0b1));
  TANDEM_RETURN_IF_ERROR(
      RegisterReduction(registry, "min",
                        "Smallest element over axes, NaN if one is NaN; keeps the dtype. No "
                        "elements have no minimum: "
                        "an error. Equal smallest elements share the gradient evenly.",
                        SameDType, /*needs_elements=*/true, ExtremumVjp, 0b1, 0b1));
  TANDEM_RETURN_IF_ERROR(RegisterArg(registry, "argmax", "largest"));
  return RegisterArg(registry, "argmin", "smallest");
}

}  // namespace tandem
