#include "tandem/core/ops/shape_ops.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/slice_geometry.h"
#include "tandem/core/ops/joining.h"
#include "tandem/core/ops/reshape_codes.h"
#include "tandem/core/ops/shape_op.h"
#include "tandem/core/ops/shape_views.h"

namespace tandem {
namespace {

// The gradient in the input's shape: what ops do that only rename dimensions.
Tensor ReshapeGradient(VjpContext& c) {
  const Shape& shape = c.input(0).shape();
  const bool has_zero = shape.num_elements() == 0;
  return c.emit("reshape", {c.grad()}, {{"shape", shape}, {"allow_zero", has_zero}});
}

// Re-describes the input by the output's shape.
bool ReshapeView(const TensorLayout& input, const AttributeMap&,
                 absl::Span<const TensorSpec> outputs, LayoutList* layouts) {
  const std::optional<TensorLayout> layout = ReshapedLayout(input, outputs[0].shape);
  if (!layout.has_value()) return false;
  layouts->assign(1, *layout);
  return true;
}

// --- reshape, expand_dims, squeeze ---------------------------------------------------------------

OpDef Reshape() {
  OpDef def = ShapeOp(
      "reshape",
      "The same elements, in row-major order, with another shape. Codes in the shape: 0 copies "
      "the input's dimension, -1 infers one dimension, -2 copies all that are left, -3 merges two, "
      "-4 splits one into the two numbers that follow (one may be -1).",
      {{"x", "any shape"}},
      {AttributeDef::Required("shape", AttributeType::kInts, "dimensions and codes"),
       AttributeDef::Optional("allow_zero", false, "0 is a dimension of size zero, not a copy")});
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    const absl::StatusOr<Shape> shape =
        ResolveReshape(c.input(0).shape, c.attrs().Ints("shape"), c.attrs().Bool("allow_zero"));
    if (!shape.ok()) return c.Error(shape.status().message());
    return SpecList{{c.input(0).dtype, *shape}};
  };
  def.view = ReshapeView;
  def.vjp = SingleVjp(ReshapeGradient);
  return def;
}

OpDef ExpandDims() {
  OpDef def = ShapeOp("expand_dims", "Inserts a dimension of size 1.", {{"x", "any shape"}},
                      {AttributeDef::Required("axis", AttributeType::kInt,
                                              "place in the result, -1 is behind the last")});
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    TensorSpec spec = c.input(0);
    if (spec.shape.rank() == kMaxRank) {
      return c.Error(absl::StrCat("a tensor has at most ", kMaxRank, " dimensions"));
    }
    const absl::StatusOr<int> axis = NormalizeAxis(c.attrs().Int("axis"), spec.shape.rank() + 1);
    if (!axis.ok()) return c.Error(axis.status().message(), "the rank is that of the result");
    spec.shape.insert(*axis, 1);
    return SpecList{spec};
  };
  def.view = ReshapeView;
  def.vjp = SingleVjp(ReshapeGradient);
  return def;
}

OpDef Squeeze() {
  OpDef def = ShapeOp(
      "squeeze", "Removes dimensions of size 1.", {{"x", "any shape"}},
      {AttributeDef::Optional("axes", AttributeValue::Ints(), "which; empty: all of size 1")});
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    const TensorSpec& x = c.input(0);
    const std::vector<int64_t>& axes = c.attrs().Ints("axes");
    Dims removed = Dims::Filled(x.shape.rank(), 0);
    for (int i = 0; i < x.shape.rank() && axes.empty(); ++i) removed[i] = x.shape[i] == 1;
    for (int64_t a : axes) {
      const absl::StatusOr<int> axis = NormalizeAxis(a, x.shape.rank());
      if (!axis.ok()) return c.Error(axis.status().message());
      if (x.shape[*axis] != 1) {
        return c.Error(absl::StrCat("axis ", a, " has size ", x.shape[*axis], ", not 1"));
      }
      if (removed[*axis] != 0) return c.Error(absl::StrCat("axis ", a, " is named twice"));
      removed[*axis] = 1;
    }
    TensorSpec spec{x.dtype, {}};
    for (int i = 0; i < x.shape.rank(); ++i) {
      if (removed[i] == 0) spec.shape.push_back(x.shape[i]);
    }
    return SpecList{spec};
  };
  def.view = ReshapeView;
  def.vjp = SingleVjp(ReshapeGradient);
  return def;
}

// --- transpose, broadcast_to ---------------------------------------------------------------------

// The permutation that `axes` means: reversed if empty.
absl::StatusOr<Dims> Permutation(absl::Span<const int64_t> axes, int rank) {
  Dims permutation;
  if (axes.empty()) {
    for (int i = rank - 1; i >= 0; --i) permutation.push_back(i);
    return permutation;
  }
  if (axes.size() != static_cast<size_t>(rank)) {
    return absl::InvalidArgumentError(
        absl::StrCat(axes.size(), " axes for rank ", rank, "; name every axis once"));
  }
  for (int64_t a : axes) {
    TANDEM_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(a, rank));
    if (std::find(permutation.begin(), permutation.end(), axis) != permutation.end()) {
      return absl::InvalidArgumentError(absl::StrCat("axis ", a, " is named twice"));
    }
    permutation.push_back(axis);
  }
  return permutation;
}

OpDef Transpose() {
  OpDef def = ShapeOp("transpose", "Permutes the axes: axis i of the result is axis axes[i] of x.",
                      {{"x", "any shape"}},
                      {AttributeDef::Optional("axes", AttributeValue::Ints(),
                                              "a permutation; empty: the axes reversed")});
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    const TensorSpec& x = c.input(0);
    const absl::StatusOr<Dims> permutation = Permutation(c.attrs().Ints("axes"), x.shape.rank());
    if (!permutation.ok()) return c.Error(permutation.status().message());
    return SpecList{TransposedLayout(TensorLayout::Contiguous(x), *permutation).spec};
  };
  def.view = [](const TensorLayout& input, const AttributeMap& attrs, absl::Span<const TensorSpec>,
                LayoutList* layouts) {
    const auto permutation = Permutation(attrs.Ints("axes"), input.spec.shape.rank());
    if (!permutation.ok()) return false;
    layouts->assign(1, TransposedLayout(input, *permutation));
    return true;
  };
  def.vjp = SingleVjp([](VjpContext& c) {
    const std::vector<int64_t>& axes = c.attrs().Ints("axes");
    const auto permutation = Permutation(axes, c.input(0).rank());
    if (axes.empty() || !permutation.ok()) return c.emit("transpose", {c.grad()});
    Dims inverse = *permutation;
    for (int i = 0; i < permutation->rank(); ++i) inverse[static_cast<int>((*permutation)[i])] = i;
    return c.emit("transpose", {c.grad()}, {{"axes", inverse}});
  });
  return def;
}

OpDef BroadcastTo() {
  OpDef def = ShapeOp("broadcast_to", "Repeats dimensions of size 1, and inserts leading ones.",
                      {{"x", "any shape"}},
                      {AttributeDef::Required("shape", AttributeType::kInts,
                                              "the result's; -1 keeps the input's dimension")});
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    const Shape& from = c.input(0).shape;
    Shape to(absl::MakeConstSpan(c.attrs().Ints("shape")));
    if (to.overflowed()) {
      return c.Error(absl::StrCat("a tensor has at most ", kMaxRank, " dimensions"));
    }
    const int leading = to.rank() - from.rank();
    if (leading < 0) return c.Error("the shape has fewer dimensions than x");
    for (int i = 0; i < to.rank(); ++i) {
      if (to[i] == -1) {
        if (i < leading) return c.Error("-1 keeps a dimension of x, a new one needs a size");
        to[i] = from[i - leading];
      } else if (to[i] < 0) {
        return c.Error(absl::StrCat("dimension ", i, " is ", to[i]));
      } else if (i >= leading && from[i - leading] != to[i] && from[i - leading] != 1) {
        return c.Error(absl::StrCat("dimension ", i, " is ", from[i - leading],
                                    " and cannot become ", to[i], "; only 1 can be repeated"));
      }
    }
    return SpecList{{c.input(0).dtype, to}};
  };
  def.view = [](const TensorLayout& input, const AttributeMap&,
                absl::Span<const TensorSpec> outputs, LayoutList* layouts) {
    layouts->assign(1, BroadcastLayout(input, outputs[0].shape));
    return true;
  };
  def.vjp = SingleVjp([](VjpContext& c) { return c.emit.SumTo(c.grad(), c.input(0).shape()); });
  return def;
}

// --- slice, slice_backward, pad ------------------------------------------------------------------

AttributeSchema SliceAttributes(bool backward) {
  std::vector<AttributeDef> defs = {
      AttributeDef::Required("begin", AttributeType::kInts, "first index, for each leading axis"),
      AttributeDef::Required("end", AttributeType::kInts, "index behind the last"),
      AttributeDef::Optional("strides", AttributeValue::Ints(), "steps; empty: all 1")};
  if (backward) {
    defs.insert(defs.begin(), AttributeDef::Required("input_shape", AttributeType::kInts,
                                                     "shape of what was sliced"));
  }
  return AttributeSchema(std::move(defs));
}

absl::StatusOr<SliceGeometry> Slicing(const Shape& input, const AttributeMap& attrs) {
  return SliceGeometry::Create(input, attrs.Ints("begin"), attrs.Ints("end"),
                               attrs.Ints("strides"));
}

OpDef Slice() {
  OpDef def = ShapeOp("slice",
                      "x[begin:end:strides] for each leading axis, by Python's rules: negative "
                      "indices count from the end, and what is out of range is cut off. The "
                      "largest int64 as end means to the end, the smallest with a negative stride "
                      "to the beginning.",
                      {{"x", "any shape"}}, SliceAttributes(/*backward=*/false));
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    const absl::StatusOr<SliceGeometry> slice = Slicing(c.input(0).shape, c.attrs());
    if (!slice.ok()) return c.Error(slice.status().message());
    return SpecList{{c.input(0).dtype, slice->size}};
  };
  def.view = [](const TensorLayout& input, const AttributeMap& attrs, absl::Span<const TensorSpec>,
                LayoutList* layouts) {
    const absl::StatusOr<SliceGeometry> slice = Slicing(input.spec.shape, attrs);
    if (!slice.ok()) return false;
    layouts->assign(1, SlicedLayout(input, *slice));
    return true;
  };
  def.vjp = SingleVjp([](VjpContext& c) {
    return c.emit("slice_backward", {c.grad()},
                  {{"input_shape", c.input(0).shape()},
                   {"begin", c.attrs().Ints("begin")},
                   {"end", c.attrs().Ints("end")},
                   {"strides", c.attrs().Ints("strides")}});
  });
  return def;
}

OpDef SliceBackward() {
  OpDef def = ShapeOp("slice_backward",
                      "The gradient of slice: zeros of input_shape, with grad where the slice was "
                      "taken.",
                      {{"grad", "of the slice's shape"}}, SliceAttributes(/*backward=*/true));
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    const Shape input(absl::MakeConstSpan(c.attrs().Ints("input_shape")));
    TANDEM_RETURN_IF_ERROR(Annotate(input.Validate(), "slice_backward: input_shape"));
    const absl::StatusOr<SliceGeometry> slice = Slicing(input, c.attrs());
    if (!slice.ok()) return c.Error(slice.status().message());
    if (slice->size != c.input(0).shape) {
      return c.Error(
          absl::StrCat("the slice of ", input.ToString(), " has shape ", slice->size.ToString()));
    }
    return SpecList{{c.input(0).dtype, input}};
  };
  def.vjp = SingleVjp([](VjpContext& c) {
    return c.emit("slice", {c.grad()},
                  {{"begin", c.attrs().Ints("begin")},
                   {"end", c.attrs().Ints("end")},
                   {"strides", c.attrs().Ints("strides")}});
  });
  return def;
}

OpDef Pad() {
  OpDef def = ShapeOp(
      "pad", "x with elements of one value before and after it along each axis.",
      {{"x", "any shape"}},
      {AttributeDef::Required("before", AttributeType::kInts, "number of elements, for each axis"),
       AttributeDef::Required("after", AttributeType::kInts, "number of elements, for each axis"),
       AttributeDef::Optional("value", 0.0, "the value, converted to x's dtype as cast does")});
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    TensorSpec spec = c.input(0);
    const std::vector<int64_t>& before = c.attrs().Ints("before");
    const std::vector<int64_t>& after = c.attrs().Ints("after");
    const size_t rank = static_cast<size_t>(spec.shape.rank());
    if (before.size() != rank || after.size() != rank) {
      return c.Error(absl::StrCat("before and after need a number for each of the ", rank,
                                  " axes, not ", before.size(), " and ", after.size()));
    }
    for (int i = 0; i < spec.shape.rank(); ++i) {
      if (before[i] < 0 || after[i] < 0) {
        return c.Error(absl::StrCat("axis ", i, " has negative padding"), "to cut, use slice");
      }
      absl::StatusOr<int64_t> size = CheckedAdd(spec.shape[i], before[i]);
      if (size.ok()) size = CheckedAdd(*size, after[i]);
      if (!size.ok()) return c.Error(size.status().message());
      spec.shape[i] = *size;
    }
    return SpecList{spec};
  };
  def.vjp = SingleVjp([](VjpContext& c) {
    const Shape& shape = c.input(0).shape();
    const std::vector<int64_t>& begin = c.attrs().Ints("before");
    std::vector<int64_t> end = begin;
    for (int i = 0; i < shape.rank(); ++i) end[i] += shape[i];
    return c.emit("slice", {c.grad()}, {{"begin", begin}, {"end", end}});
  });
  return def;
}

}  // namespace

absl::Status RegisterShapeOps(OpRegistry* registry) {
  for (auto define :
       {Reshape, ExpandDims, Squeeze, Transpose, BroadcastTo, Slice, SliceBackward, Pad}) {
    TANDEM_RETURN_IF_ERROR(registry->Register(define()));
  }
  return RegisterJoiningOps(registry);
}

}  // namespace tandem
