#include "tandem/core/ops/convolution.h"

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

// The attributes that all three ops share, after those of one op alone.
AttributeSchema Attributes(std::vector<AttributeDef> own = {}) {
  AttributeDef strides =
      AttributeDef::Optional("strides", Ints{1, 1}, "[height,width], at least 1");
  AttributeDef padding = AttributeDef::Optional(
      "padding", Ints{0, 0}, "zeros around the image: [height,width] or [top,left,bottom,right]");
  AttributeDef dilation = AttributeDef::Optional(
      "dilation", Ints{1, 1}, "[height,width], distance of two taps of the kernel");
  AttributeDef groups = AttributeDef::Optional(
      "groups", 1, "groups of channels that are convolved apart; divides both channel counts");
  if (own.empty()) return {strides, padding, dilation, groups};
  return {own[0], strides, padding, dilation, groups};
}

// conv2d(x, weight) or one of its gradients with the window of `attrs`; `own_name` is "" or the
// name of the attribute that gives the shape of the result.
Tensor Convolve(Emitter& emit, absl::string_view op, const Tensor& a, const Tensor& b,
                const AttributeMap& attrs, absl::string_view own_name = "",
                const Shape& own_shape = {}) {
  const AttributeInit strides{"strides", attrs.Ints("strides")};
  const AttributeInit padding{"padding", attrs.Ints("padding")};
  const AttributeInit dilation{"dilation", attrs.Ints("dilation")};
  const AttributeInit groups{"groups", attrs.Int("groups")};
  if (own_name.empty()) return emit(op, {a, b}, {strides, padding, dilation, groups});
  return emit(op, {a, b}, {{own_name, own_shape}, strides, padding, dilation, groups});
}

Tensor Forward(Emitter& emit, const Tensor& x, const Tensor& weight, const AttributeMap& attrs) {
  return Convolve(emit, "conv2d", x, weight, attrs);
}

Tensor BackwardInput(Emitter& emit, const Tensor& grad, const Tensor& weight, const Shape& shape,
                     const AttributeMap& attrs) {
  return Convolve(emit, "conv2d_backward_input", grad, weight, attrs, "input_shape", shape);
}

Tensor BackwardWeight(Emitter& emit, const Tensor& x, const Tensor& grad, const Shape& shape,
                      const AttributeMap& attrs) {
  return Convolve(emit, "conv2d_backward_weight", x, grad, attrs, "weight_shape", shape);
}

absl::Status CheckDTypes(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckFloating(c, 0));
  return CheckSameDType(c, 0, 1);
}

absl::StatusOr<SpecList> InferForward(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckDTypes(c));
  TANDEM_ASSIGN_OR_RETURN(
      const Conv2dGeometry g,
      Explain(c, Conv2dGeometry::Create(c.input(0).shape, c.input(1).shape, c.attrs())));
  return SpecList{{c.input(0).dtype, g.output_shape()}};
}

absl::StatusOr<SpecList> InferBackwardInput(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckDTypes(c));
  TANDEM_ASSIGN_OR_RETURN(const Conv2dGeometry g,
                          Explain(c, Conv2dGeometry::Create(Shape(c.attrs().Ints("input_shape")),
                                                            c.input(1).shape, c.attrs())));
  TANDEM_RETURN_IF_ERROR(CheckShape(c, 0, g.output_shape(), "what conv2d makes of input_shape"));
  return SpecList{{c.input(0).dtype, g.input_shape()}};
}

absl::StatusOr<SpecList> InferBackwardWeight(const InferContext& c) {
  TANDEM_RETURN_IF_ERROR(CheckDTypes(c));
  TANDEM_ASSIGN_OR_RETURN(
      const Conv2dGeometry g,
      Explain(c, Conv2dGeometry::Create(c.input(0).shape, Shape(c.attrs().Ints("weight_shape")),
                                        c.attrs())));
  TANDEM_RETURN_IF_ERROR(CheckShape(c, 1, g.output_shape(), "what conv2d makes of weight_shape"));
  return SpecList{{c.input(0).dtype, g.weight_shape()}};
}

// All three come from one form that is linear in each of its arguments,
//   F(x, w, g) = sum(conv2d(x, w) * g),
// each as the derivative by one argument: conv2d by g, conv2d_backward_input by x,
// conv2d_backward_weight by w. So the gradient of each is made of the other two, to any order.
absl::StatusOr<TensorList> ForwardVjp(VjpContext& c) {
  const Tensor& x = c.input(0);
  const Tensor& weight = c.input(1);
  Tensor dx, dw;
  if (c.wants(0)) dx = BackwardInput(c.emit, c.grad(), weight, x.shape(), c.attrs());
  if (c.wants(1)) dw = BackwardWeight(c.emit, x, c.grad(), weight.shape(), c.attrs());
  return c.Finish({dx, dw});
}

absl::StatusOr<TensorList> BackwardInputVjp(VjpContext& c) {
  const Tensor& g = c.input(0);
  const Tensor& weight = c.input(1);
  Tensor dg, dw;
  if (c.wants(0)) dg = Forward(c.emit, c.grad(), weight, c.attrs());
  if (c.wants(1)) dw = BackwardWeight(c.emit, c.grad(), g, weight.shape(), c.attrs());
  return c.Finish({dg, dw});
}

absl::StatusOr<TensorList> BackwardWeightVjp(VjpContext& c) {
  const Tensor& x = c.input(0);
  const Tensor& g = c.input(1);
  Tensor dx, dg;
  if (c.wants(0)) dx = BackwardInput(c.emit, g, c.grad(), x.shape(), c.attrs());
  if (c.wants(1)) dg = Forward(c.emit, x, c.grad(), c.attrs());
  return c.Finish({dx, dg});
}

absl::Status Register(OpRegistry* registry, std::string name, std::string doc,
                      std::vector<OpInput> inputs, std::string output, AttributeSchema attributes,
                      InferFn infer, VjpFn vjp) {
  OpDef def;
  def.name = std::move(name);
  def.doc = std::move(doc);
  def.family = "nn";
  def.inputs = std::move(inputs);
  def.outputs = {std::move(output)};
  def.attributes = std::move(attributes);
  def.infer = std::move(infer);
  def.vjp = std::move(vjp);
  def.vjp_inputs = 0b11;
  def.vjp_outputs = 0;
  return registry->Register(std::move(def));
}

}  // namespace

absl::Status RegisterConvolutionOps(OpRegistry* registry) {
  const OpInput x = {"x", "[batch,in_channels,height,width], floating point"};
  const OpInput weight = {"weight", "[out_channels,in_channels/groups,kernel_h,kernel_w]"};
  const OpInput grad = {"grad", "gradient of conv2d's result: [batch,out_channels,out_h,out_w]"};
  TANDEM_RETURN_IF_ERROR(Register(
      registry, "conv2d",
      "Two-dimensional cross-correlation of images, as neural networks use it: y[b,o,i,j] = "
      "sum over c,p,q of x[b,c,i*stride+p*dilation-padding,j*...] * weight[o,c,p,q]. The result "
      "has "
      "floor((size + padding - dilation * (kernel - 1) - 1) / stride) + 1 rows and columns.",
      {x, weight}, "y", Attributes(), InferForward, ForwardVjp));
  TANDEM_RETURN_IF_ERROR(Register(
      registry, "conv2d_backward_input",
      "The gradient of conv2d with respect to x; also known as transposed convolution.",
      {grad, weight}, "dx",
      Attributes({AttributeDef::Required("input_shape", AttributeType::kInts, "shape of x")}),
      InferBackwardInput, BackwardInputVjp));
  return Register(
      registry, "conv2d_backward_weight", "The gradient of conv2d with respect to weight.",
      {x, grad}, "dweight",
      Attributes({AttributeDef::Required("weight_shape", AttributeType::kInts, "shape of weight")}),
      InferBackwardWeight, BackwardWeightVjp);
}

}  // namespace tandem
