#include "tandem/core/ops/joining.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/ops/shape_op.h"

namespace tandem {
namespace {

// More would be a mistake: each output costs an allocation, and the number may come from a file.
constexpr int64_t kMaxSections = 65536;

int NumSections(const AttributeMap& attrs) {
  const int64_t sizes = static_cast<int64_t>(attrs.Ints("sizes").size());
  return static_cast<int>(
      std::clamp<int64_t>(sizes > 0 ? sizes : attrs.Int("sections"), 0, kMaxSections));
}

absl::StatusOr<SpecList> InferSplit(const InferContext& c) {
  const TensorSpec& x = c.input(0);
  const absl::StatusOr<int> axis = NormalizeAxis(c.attrs().Int("axis"), x.shape.rank());
  if (!axis.ok()) return c.Error(axis.status().message());
  const int64_t size = x.shape[*axis];
  const int64_t sections = c.attrs().Int("sections");
  std::vector<int64_t> sizes = c.attrs().Ints("sizes");
  if (sizes.empty() == (sections == 0)) return c.Error("give either sections or sizes");
  if (std::max<int64_t>(sections, sizes.size()) > kMaxSections) {
    return c.Error(absl::StrCat("splits into at most ", kMaxSections, " parts"));
  }
  if (sizes.empty()) {
    if (sections < 0 || size % sections != 0) {
      return c.Error(absl::StrCat("axis ", *axis, " of size ", size, " does not split into ",
                                  sections, " equal parts"),
                     "name the parts with sizes");
    }
    sizes.assign(static_cast<size_t>(sections), size / sections);
  }
  int64_t total = 0;
  SpecList outputs;
  for (int64_t part : sizes) {
    if (part < 0) return c.Error("sizes must not be negative");
    const absl::StatusOr<int64_t> sum = CheckedAdd(total, part);
    if (!sum.ok()) return c.Error(sum.status().message());
    total = *sum;
    outputs.push_back(x);
    outputs.back().shape[*axis] = part;
  }
  if (total != size) {
    return c.Error(absl::StrCat("the sizes sum to ", total, ", axis ", *axis, " has ", size));
  }
  return outputs;
}

OpDef Split() {
  OpDef def = ShapeOp(
      "split", "Cuts x into parts along an axis: sections equal ones, or parts of the given sizes.",
      {{"x", "at least one axis"}},
      {AttributeDef::Optional("axis", 0, "axis to cut"),
       AttributeDef::Optional("sections", 0, "number of equal parts; or give sizes"),
       AttributeDef::Optional("sizes", AttributeValue::Ints(), "size of each part")});
  def.num_outputs = NumSections;
  def.infer = InferSplit;
  def.view = [](const TensorLayout& input, const AttributeMap& attrs,
                absl::Span<const TensorSpec> outputs, LayoutList* layouts) {
    const absl::StatusOr<int> axis = NormalizeAxis(attrs.Int("axis"), input.spec.shape.rank());
    if (!axis.ok()) return false;
    layouts->clear();
    int64_t begin = 0;
    for (const TensorSpec& output : outputs) {
      TensorLayout layout{output, input.strides, input.offset};
      if (output.shape.num_elements() > 0) layout.offset += begin * input.strides[*axis];
      begin += output.shape[*axis];
      layouts->push_back(layout);
    }
    return true;
  };
  def.vjp = [](VjpContext& c) -> absl::StatusOr<TensorList> {
    TensorList grads(1);
    if (!c.wants(0)) return grads;
    const int parts = NumSections(c.attrs());
    std::vector<Tensor> part_grads;
    bool any = false;
    for (int i = 0; i < parts; ++i) {
      any = any || c.has_grad(i);
      part_grads.push_back(c.has_grad(i) ? c.grad(i) : c.emit.FullLike(0, c.output(i)));
    }
    if (any) {
      grads[0] = c.emit.Multi("concat", part_grads, {{"axis", c.attrs().Int("axis")}}, 1)[0];
    }
    return c.Finish(std::move(grads));
  };
  return def;
}

// All inputs have the dtype of the first, and its shape but for axis `free` (-1: none).
absl::Status CheckAlike(const InferContext& c, int free) {
  const TensorSpec& first = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) {
    const TensorSpec& other = c.input(i);
    if (other.dtype != first.dtype) {
      return c.Error(absl::StrCat("input ", i, " is ", DTypeName(other.dtype), ", input 0 is ",
                                  DTypeName(first.dtype)),
                     "cast them to one dtype");
    }
    bool alike = other.shape.rank() == first.shape.rank();
    for (int d = 0; alike && d < first.shape.rank(); ++d) {
      alike = d == free || other.shape[d] == first.shape[d];
    }
    if (!alike) {
      return c.Error(
          absl::StrCat("input ", i, " has shape ", other.shape.ToString(), ", input 0 has ",
                       first.shape.ToString()),
          free < 0 ? "all must be equal" : absl::StrCat("all but axis ", free, " must be equal"));
    }
  }
  return absl::OkStatus();
}

OpDef Concat() {
  OpDef def = ShapeOp("concat", "Joins tensors along an axis.",
                      {{"x", "one dtype; the shapes are equal but for the axis"}},
                      {AttributeDef::Optional("axis", 0, "axis to join along")});
  def.variadic = true;
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    TensorSpec spec = c.input(0);
    const absl::StatusOr<int> axis = NormalizeAxis(c.attrs().Int("axis"), spec.shape.rank());
    if (!axis.ok()) return c.Error(axis.status().message(), "stack joins along a new axis");
    TANDEM_RETURN_IF_ERROR(CheckAlike(c, *axis));
    for (int i = 1; i < c.num_inputs(); ++i) {
      TANDEM_ASSIGN_OR_RETURN(spec.shape[*axis],
                              CheckedAdd(spec.shape[*axis], c.input(i).shape[*axis]));
    }
    return SpecList{spec};
  };
  def.vjp = [](VjpContext& c) -> absl::StatusOr<TensorList> {
    TensorList grads(c.num_inputs());
    if (!c.has_grad(0)) return grads;
    const absl::StatusOr<int> axis = NormalizeAxis(c.attrs().Int("axis"), c.grad().rank());
    if (!axis.ok()) return axis.status();
    // Slices rather than one split: only what is wanted, and any number of inputs.
    int64_t begin = 0;
    for (int i = 0; i < c.num_inputs(); ++i) {
      const int64_t end = begin + c.input(i).shape()[*axis];
      if (c.wants(i)) {
        // Axes before are taken whole.
        std::vector<int64_t> begins(*axis, 0);
        std::vector<int64_t> ends(*axis, std::numeric_limits<int64_t>::max());
        begins.push_back(begin);
        ends.push_back(end);
        grads[i] = c.emit("slice", {c.grad()}, {{"begin", begins}, {"end", ends}});
      }
      begin = end;
    }
    return c.Finish(std::move(grads));
  };
  return def;
}

OpDef Stack() {
  OpDef def = ShapeOp("stack", "Joins tensors along a new axis.", {{"x", "one dtype and shape"}},
                      {AttributeDef::Optional("axis", 0, "place of the new axis in the result")});
  def.variadic = true;
  def.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
    TensorSpec spec = c.input(0);
    if (spec.shape.rank() == kMaxRank) {
      return c.Error(absl::StrCat("a tensor has at most ", kMaxRank, " dimensions"));
    }
    const absl::StatusOr<int> axis = NormalizeAxis(c.attrs().Int("axis"), spec.shape.rank() + 1);
    if (!axis.ok()) return c.Error(axis.status().message(), "the rank is that of the result");
    TANDEM_RETURN_IF_ERROR(CheckAlike(c, -1));
    spec.shape.insert(*axis, c.num_inputs());
    return SpecList{spec};
  };
  def.decompose = [](DecomposeContext& c) -> absl::StatusOr<TensorList> {
    const int64_t axis = c.attrs().Int("axis");
    std::vector<Tensor> expanded;
    for (int i = 0; i < c.num_inputs(); ++i) {
      expanded.push_back(c.emit("expand_dims", {c.input(i)}, {{"axis", axis}}));
    }
    return c.Finish(c.emit.Multi("concat", expanded, {{"axis", axis}}, 1));
  };
  def.vjp = [](VjpContext& c) -> absl::StatusOr<TensorList> {
    TensorList grads(c.num_inputs());
    if (!c.has_grad(0)) return grads;
    const absl::StatusOr<int> axis = NormalizeAxis(c.attrs().Int("axis"), c.grad().rank());
    if (!axis.ok()) return axis.status();
    for (int i = 0; i < c.num_inputs(); ++i) {
      if (!c.wants(i)) continue;
      std::vector<int64_t> begin(*axis, 0);
      std::vector<int64_t> end(*axis, std::numeric_limits<int64_t>::max());
      begin.push_back(i);
      end.push_back(i + 1);
      const Tensor slice = c.emit("slice", {c.grad()}, {{"begin", begin}, {"end", end}});
      grads[i] = c.emit("squeeze", {slice}, {{"axes", AttributeValue::Ints{*axis}}});
    }
    return c.Finish(std::move(grads));
  };
  return def;
}

}  // namespace

absl::Status RegisterJoiningOps(OpRegistry* registry) {
  for (auto define : {Split, Concat, Stack}) {
    TANDEM_RETURN_IF_ERROR(registry->Register(define()));
  }
  return absl::OkStatus();
}

}  // namespace tandem
