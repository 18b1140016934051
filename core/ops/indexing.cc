#include "tandem/core/ops/indexing.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

// `x` with the dimensions from `begin` to `end` replaced.
Shape ReplaceDims(const Shape& x, int begin, int end, absl::Span<const int64_t> replacement) {
  Shape result;
  for (int i = 0; i < begin; ++i) result.push_back(x[i]);
  for (int64_t d : replacement) result.push_back(d);
  for (int i = end; i < x.rank(); ++i) result.push_back(x[i]);
  return result;
}

absl::Status CheckNotEmpty(const InferContext& c, int64_t size, const Shape& indices) {
  if (size > 0 || indices.num_elements() == 0) return absl::OkStatus();
  return c.Error("the indexed axis has size 0, no index is valid");
}

// --- gather -------------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferGather(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckInteger(c, 1));
  const TensorSpec& x = c.input(0);
  const Shape& indices = c.input(1).shape;
  TANDEM_ASSIGN_OR_RETURN(const int axis,
                          Explain(c, NormalizeAxis(c.attrs().Int("axis"), x.shape.rank())));
  TANDEM_RETURN_IF_ERROR(CheckNotEmpty(c, x.shape[axis], indices));
  return SpecList{{x.dtype, ReplaceDims(x.shape, axis, axis + 1, indices)}};
}

absl::StatusOr<TensorList> GatherVjp(VjpContext& c) {
  const Shape& x = c.input(0).shape();
  TANDEM_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(c.attrs().Int("axis"), x.rank()));
  return c.Finish(
      {c.emit("gather_backward", {c.grad(), c.input(1)}, {{"axis", axis}, {"size", x[axis]}}),
       Tensor()});
}

absl::StatusOr<SpecList> InferGatherBackward(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckInteger(c, 1));
  const TensorSpec& grad = c.input(0);
  const Shape& indices = c.input(1).shape;
  const int64_t size = c.attrs().Int("size");
  if (size < 0) return c.Error(absl::StrCat("size must not be negative, it is ", size));
  const int rank = grad.shape.rank() - indices.rank() + 1;  // of the result
  if (rank < 1) {
    return c.Error(
        absl::StrCat("grad must have at least the ", indices.rank(), " dimensions of indices"));
  }
  TANDEM_ASSIGN_OR_RETURN(const int axis, Explain(c, NormalizeAxis(c.attrs().Int("axis"), rank)));
  const Shape found(grad.shape.span().subspan(axis, indices.rank()));
  if (found != indices) {
    return c.Error(absl::StrCat("the dimensions of grad from axis ", axis,
                                " on must be those of "
                                "indices, ",
                                indices.ToString(), ", not ", found.ToString()));
  }
  TANDEM_RETURN_IF_ERROR(CheckNotEmpty(c, size, indices));
  const int64_t replacement[] = {size};
  return SpecList{{grad.dtype, ReplaceDims(grad.shape, axis, axis + indices.rank(), replacement)}};
}

// The scatter-add is linear in grad, and its transpose is gather.
absl::StatusOr<TensorList> GatherBackwardVjp(VjpContext& c) {
  return c.Finish(
      {c.emit("gather", {c.grad(), c.input(1)}, {{"axis", c.attrs().Int("axis")}}), Tensor()});
}

// --- embedding, one_hot -------------------------------------------------------------------------

absl::StatusOr<SpecList> InferEmbedding(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckInteger(c, 0));
  const Shape& indices = c.input(0).shape;
  const TensorSpec& weight = c.input(1);
  if (weight.shape.rank() == 0) {
    return c.Error("weight must have rank 1 or more", "its rows are the embeddings");
  }
  TANDEM_RETURN_IF_ERROR(CheckNotEmpty(c, weight.shape[0], indices));
  return SpecList{{weight.dtype, ReplaceDims(weight.shape, 0, 1, indices)}};
}

absl::StatusOr<TensorList> DecomposeEmbedding(DecomposeContext& c) {
  return c.Finish({c.emit("gather", {c.input(1), c.input(0)}, {{"axis", 0}})});
}

absl::StatusOr<SpecList> InferOneHot(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckInteger(c, 0));
  const int64_t depth = c.attrs().Int("depth");
  if (depth < 0) return c.Error(absl::StrCat("depth must not be negative, it is ", depth));
  Shape shape = c.input(0).shape;
  shape.push_back(depth);
  return SpecList{{c.attrs().Type("dtype"), shape}};
}

}  // namespace

absl::Status RegisterIndexingOps(OpRegistry* registry) {
  const OpInput indices = {"indices", "integer, any shape"};
  {
    OpDef def;
    def.name = "gather";
    def.doc =
        "The slices of x at integer indices along an axis: the axis is replaced by the dimensions "
        "of "
        "indices. An index out of range takes the nearest valid one (0 or size - 1).";
    def.family = "indexing";
    def.inputs = {{"x", "any dtype, rank 1 or more"}, indices};
    def.attributes = {
        AttributeDef::Optional("axis", 0, "the axis to index, negative from the end")};
    def.infer = InferGather;
    def.vjp = GatherVjp;
    def.vjp_inputs = 0b10;
    def.vjp_outputs = 0;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  {
    OpDef def;
    def.name = "gather_backward";
    def.doc =
        "The gradient of gather with respect to x: zeros, to which the slices of grad are added at "
        "the indices (clipped as in gather), in the order of the indices, so that the sum is the "
        "same in every run.";
    def.family = "indexing";
    def.inputs = {{"grad", "gradient of gather's result"}, indices};
    def.outputs = {"dx"};
    def.attributes = {
        AttributeDef::Optional("axis", 0, "the axis that was indexed, negative from the end"),
        AttributeDef::Required("size", AttributeType::kInt, "size of that axis in x"),
    };
    def.infer = InferGatherBackward;
    def.vjp = GatherBackwardVjp;
    def.vjp_inputs = 0b10;
    def.vjp_outputs = 0;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  {
    OpDef def;
    def.name = "embedding";
    def.doc = "The rows of weight at indices: gather along axis 0.";
    def.family = "indexing";
    def.inputs = {indices, {"weight", "[vocabulary,...]"}};
    def.infer = InferEmbedding;
    def.decompose = DecomposeEmbedding;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  OpDef def;
  def.name = "one_hot";
  def.doc =
      "`on` where the position along a new last axis is the index, `off` elsewhere; an index out "
      "of "
      "range gives `off` everywhere.";
  def.family = "indexing";
  def.inputs = {indices};
  def.attributes = {
      AttributeDef::Required("depth", AttributeType::kInt, "size of the new axis"),
      AttributeDef::Optional("dtype", DType::kF32, "dtype of the result"),
      AttributeDef::Optional("on", 1.0, "value at the index"),
      AttributeDef::Optional("off", 0.0, "value elsewhere"),
  };
  def.infer = InferOneHot;
  def.traits.differentiable = false;
  def.vjp_inputs = 0;
  def.vjp_outputs = 0;
  return registry->Register(std::move(def));
}

}  // namespace tandem
