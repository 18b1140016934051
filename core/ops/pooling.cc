#include "tandem/core/ops/pooling.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/window.h"
#include "tandem/core/ops/definition_helpers.h"

namespace tandem {
namespace {

using Ints = std::vector<int64_t>;

AttributeDef Kernel() {
  return AttributeDef::Required("kernel", AttributeType::kInts, "[height,width] of the window");
}
AttributeDef WindowStrides() {
  return AttributeDef::Optional("strides", Ints{}, "[height,width] of a step; [] is the kernel");
}
AttributeDef Padding() {
  return AttributeDef::Optional(
      "padding", Ints{0, 0},
      "[height,width] or [top,left,bottom,right], each smaller than the kernel");
}
AttributeDef CeilMode() {
  return AttributeDef::Optional("ceil_mode", false,
                                "round the size of the result up: a last window may hang over");
}
AttributeDef CountIncludePad() {
  return AttributeDef::Optional("count_include_pad", true,
                                "padding counts as zeros of the window; what hangs over does not");
}

Pool2dGeometry GeometryOf(const Shape& input, const AttributeMap& attrs) {
  return Pool2dGeometry::Create(input, attrs).value_or(Pool2dGeometry());
}

absl::StatusOr<SpecList> InferPool(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
  TANDEM_ASSIGN_OR_RETURN(const Pool2dGeometry g,
                          Explain(c, Pool2dGeometry::Create(c.input(0).shape, c.attrs())));
  return SpecList{{c.input(0).dtype, g.output_shape()}};
}

// --- max_pool2d ---------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferMaxPoolBackward(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 1));
  TANDEM_RETURN_IF_ERROR(CheckSameDType(c, 0, 1));
  TANDEM_ASSIGN_OR_RETURN(const Pool2dGeometry g,
                          Explain(c, Pool2dGeometry::Create(c.input(1).shape, c.attrs())));
  TANDEM_RETURN_IF_ERROR(CheckShape(c, 0, g.output_shape(), "what max_pool2d makes of x"));
  return SpecList{c.input(1)};
}

absl::StatusOr<TensorList> MaxPoolVjp(VjpContext& c) {
  const AttributeMap& attrs = c.attrs();
  return c.Finish({c.emit("max_pool2d_backward", {c.grad(), c.input(0)},
                          {{"kernel", attrs.Ints("kernel")},
                           {"strides", attrs.Ints("strides")},
                           {"padding", attrs.Ints("padding")},
                           {"ceil_mode", attrs.Bool("ceil_mode")}})});
}

// Tap (kh, kw) of every window: an image of the windows' arrangement.
class TapReader {
 public:
  explicit TapReader(const Pool2dGeometry& g) : g_(g) {}

  // The image with the padding, and with what the last windows need beyond it.
  Tensor Pad(Emitter& emit, const Tensor& x, double value) const {
    return emit("pad", {x},
                {{"before", Ints{0, 0, g_.height.pad_before, g_.width.pad_before}},
                 {"after", Ints{0, 0, After(g_.height), After(g_.width)}},
                 {"value", value}});
  }
  Tensor Read(Emitter& emit, const Tensor& padded, int64_t batch, int64_t channels, int64_t kh,
              int64_t kw) const {
    return emit("slice", {padded},
                {{"begin", Ints{0, 0, kh, kw}},
                 {"end", Ints{batch, channels, kh + Span(g_.height), kw + Span(g_.width)}},
                 {"strides", Ints{1, 1, g_.height.stride, g_.width.stride}}});
  }

 private:
  // From the first window's tap to just behind the last one's.
  static int64_t Span(const WindowAxis& axis) { return (axis.output - 1) * axis.stride + 1; }
  static int64_t After(const WindowAxis& axis) {
    const int64_t needed = Span(axis) - 1 + axis.kernel - axis.pad_before - axis.input;
    return std::max<int64_t>(needed, 0);
  }

  const Pool2dGeometry& g_;
};

// max_pool2d_backward puts each gradient where its window's maximum is, so its own gradient takes
// from each window what lies where the maximum is. Walks the taps in window order, as the search
// for the maximum does, for all windows at once: the first maximum wins, the first NaN before it,
// padding never.
absl::StatusOr<TensorList> MaxPoolBackwardVjp(VjpContext& c) {
  if (!c.wants(0)) return c.Finish({Tensor(), Tensor()});
  Emitter& emit = c.emit;
  const Tensor& x = c.input(1);
  const Pool2dGeometry g = GeometryOf(x.shape(), c.attrs());
  if (g.batch * g.channels == 0) return c.Finish({emit.FullLike(0.0, c.input(0)), Tensor()});
  const TapReader taps(g);

  const Tensor inside = emit("broadcast_to", {emit.Full(1.0, x)},
                             {{"shape", Ints{1, 1, g.height.input, g.width.input}}});
  const Tensor padded_inside = taps.Pad(emit, inside, 0.0);
  const Tensor padded_x = taps.Pad(emit, x, 0.0);
  const Tensor padded_grad = taps.Pad(emit, c.grad(), 0.0);

  Tensor maximum, found, result;  // of the taps so far; found: the maximum is not padding
  for (int64_t kh = 0; kh < g.height.kernel; ++kh) {
    for (int64_t kw = 0; kw < g.width.kernel; ++kw) {
      const Tensor value = taps.Read(emit, padded_x, g.batch, g.channels, kh, kw);
      const Tensor grad = taps.Read(emit, padded_grad, g.batch, g.channels, kh, kw);
      const Tensor valid =
          emit("equal", {taps.Read(emit, padded_inside, 1, 1, kh, kw), emit.Full(1.0, x)});
      if (kh == 0 && kw == 0) {
        maximum = value;
        found = valid;
        result = grad;
        continue;
      }
      const Tensor first_nan = emit(
          "logical_and", {emit("isnan", {value}), emit("logical_not", {emit("isnan", {maximum})})});
      const Tensor larger = emit("logical_or", {emit("greater", {value, maximum}), first_nan});
      const Tensor better =
          emit("logical_and", {valid, emit("logical_or", {larger, emit("logical_not", {found})})});
      maximum = emit("where", {better, value, maximum});
      result = emit("where", {better, grad, result});
      found = emit("logical_or", {found, valid});
      if (!emit.status().ok()) return emit.status();  // a kernel may be large
    }
  }
  return c.Finish({result, Tensor()});
}

absl::Status RegisterMaxPool(OpRegistry* registry) {
  {
    OpDef def;
    def.name = "max_pool2d";
    def.doc =
        "The largest element of each window of an image; padding is never chosen, NaN is the "
        "largest "
        "element.";
    def.family = "nn";
    def.inputs = {{"x", "[batch,channels,height,width], floating point"}};
    def.attributes = {Kernel(), WindowStrides(), Padding(), CeilMode()};
    def.infer = InferPool;
    def.vjp = MaxPoolVjp;
    def.vjp_inputs = 0b1;
    def.vjp_outputs = 0;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  OpDef def;
  def.name = "max_pool2d_backward";
  def.doc =
      "The gradient of max_pool2d: each window's gradient goes to its maximum, the first one in "
      "row "
      "order if several are equal (the first NaN if there is one).";
  def.family = "nn";
  def.inputs = {{"grad", "gradient of max_pool2d's result"}, {"x", "what was pooled"}};
  def.outputs = {"dx"};
  def.attributes = {Kernel(), WindowStrides(), Padding(), CeilMode()};
  def.infer = InferMaxPoolBackward;
  def.vjp = MaxPoolBackwardVjp;
  def.vjp_inputs = 0b10;
  def.vjp_outputs = 0;
  return registry->Register(std::move(def));
}

// --- avg_pool2d ---------------------------------------------------------------------------------

absl::StatusOr<SpecList> InferAvgPoolBackward(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
  TANDEM_ASSIGN_OR_RETURN(
      const Pool2dGeometry g,
      Explain(c, Pool2dGeometry::Create(Shape(c.attrs().Ints("input_shape")), c.attrs())));
  TANDEM_RETURN_IF_ERROR(
      CheckShape(c, 0, g.output_shape(), "what avg_pool2d makes of input_shape"));
  return SpecList{{c.input(0).dtype, g.input_shape()}};
}

absl::StatusOr<TensorList> AvgPoolVjp(VjpContext& c) {
  const AttributeMap& attrs = c.attrs();
  return c.Finish({c.emit("avg_pool2d_backward", {c.grad()},
                          {{"input_shape", c.input(0).shape()},
                           {"kernel", attrs.Ints("kernel")},
                           {"strides", attrs.Ints("strides")},
                           {"padding", attrs.Ints("padding")},
                           {"ceil_mode", attrs.Bool("ceil_mode")},
                           {"count_include_pad", attrs.Bool("count_include_pad")}})});
}

// avg_pool2d is linear, so the gradient of its gradient is itself.
absl::StatusOr<TensorList> AvgPoolBackwardVjp(VjpContext& c) {
  const AttributeMap& attrs = c.attrs();
  return c.Finish({c.emit("avg_pool2d", {c.grad()},
                          {{"kernel", attrs.Ints("kernel")},
                           {"strides", attrs.Ints("strides")},
                           {"padding", attrs.Ints("padding")},
                           {"ceil_mode", attrs.Bool("ceil_mode")},
                           {"count_include_pad", attrs.Bool("count_include_pad")}})});
}

absl::Status RegisterAvgPool(OpRegistry* registry) {
  {
    OpDef def;
    def.name = "avg_pool2d";
    def.doc = "The mean of each window of an image.";
    def.family = "nn";
    def.inputs = {{"x", "[batch,channels,height,width], floating point"}};
    def.attributes = {Kernel(), WindowStrides(), Padding(), CeilMode(), CountIncludePad()};
    def.infer = InferPool;
    def.vjp = AvgPoolVjp;
    def.vjp_inputs = 0;
    def.vjp_outputs = 0;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  OpDef def;
  def.name = "avg_pool2d_backward";
  def.doc =
      "The gradient of avg_pool2d: each window's gradient, divided by what the window's sum was "
      "divided by, goes to every element of the window.";
  def.family = "nn";
  def.inputs = {{"grad", "gradient of avg_pool2d's result"}};
  def.outputs = {"dx"};
  def.attributes = {
      AttributeDef::Required("input_shape", AttributeType::kInts, "shape of what was pooled"),
      Kernel(),
      WindowStrides(),
      Padding(),
      CeilMode(),
      CountIncludePad()};
  def.infer = InferAvgPoolBackward;
  def.vjp = AvgPoolBackwardVjp;
  def.vjp_inputs = 0;
  def.vjp_outputs = 0;
  return registry->Register(std::move(def));
}

// --- pooling over the whole image ---------------------------------------------------------------

absl::StatusOr<SpecList> InferGlobalPool(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
  const Shape& x = c.input(0).shape;
  if (x.rank() != 4) {
    return c.Error(
        absl::StrCat("x must have rank 4 (batch, channels, height, width), not ", x.rank()));
  }
  if (x[2] == 0 || x[3] == 0) return c.Error("cannot pool an empty image");
  return SpecList{{c.input(0).dtype, {x[0], x[1], 1, 1}}};
}

absl::Status RegisterGlobalPool(OpRegistry* registry, std::string name, std::string doc,
                                std::string reduction) {
  OpDef def;
  def.name = std::move(name);
  def.doc = std::move(doc);
  def.family = "nn";
  def.inputs = {{"x", "[batch,channels,height,width], floating point"}};
  def.infer = InferGlobalPool;
  def.decompose = [reduction = std::move(reduction)](DecomposeContext& c) {
    return c.Finish({c.emit(reduction, {c.input(0)}, {{"axes", Ints{2, 3}}, {"keepdims", true}})});
  };
  return registry->Register(std::move(def));
}

}  // namespace

absl::Status RegisterPoolingOps(OpRegistry* registry) {
  TANDEM_RETURN_IF_ERROR(RegisterMaxPool(registry));
  TANDEM_RETURN_IF_ERROR(RegisterAvgPool(registry));
  TANDEM_RETURN_IF_ERROR(
      RegisterGlobalPool(registry, "global_avg_pool2d",
                         "The mean of each channel's image, [batch,channels,1,1].", "mean"));
  return RegisterGlobalPool(registry, "global_max_pool2d",
                            "The largest element of each channel's image, [batch,channels,1,1].",
                            "max");
}

}  // namespace tandem
