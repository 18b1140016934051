// Convolution and its two gradients, by the definition: one sum for each element.

#include <cmath>
#include <string>
#include <utility>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

struct Window {
  int64_t stride[2], dilation[2], before[2], after[2];
  int64_t groups;
};

Window WindowOf(const AttributeMap& attrs) {
  Window w;
  const Ints& padding = attrs.Ints("padding");
  for (int i = 0; i < 2; ++i) {
    w.stride[i] = attrs.Ints("strides")[i];
    w.dilation[i] = attrs.Ints("dilation")[i];
    w.before[i] = padding[i];
    w.after[i] = padding[padding.size() == 4 ? i + 2 : i];
  }
  w.groups = attrs.Int("groups");
  return w;
}

Shape OutputShape(const Shape& x, const Shape& weight, const Window& w) {
  Shape out = {x[0], weight[0]};
  for (int i = 0; i < 2; ++i) {
    const int64_t reach = w.dilation[i] * (weight[2 + i] - 1) + 1;
    out.push_back((x[2 + i] + w.before[i] + w.after[i] - reach) / w.stride[i] + 1);
  }
  return out;
}

// Calls fn(output, input, weight) with positions, for every product of the convolution.
template <typename Fn>
void ForEachProduct(const Shape& x, const Shape& weight, const Window& w, Fn&& fn) {
  const Shape out = OutputShape(x, weight, w);
  const int64_t out_per_group = weight[0] / w.groups;
  for (Index at(out); at.valid(); at.Next()) {
    const int64_t group = at[1] / out_per_group;
    for (int64_t c = 0; c < weight[1]; ++c) {
      for (int64_t kh = 0; kh < weight[2]; ++kh) {
        for (int64_t kw = 0; kw < weight[3]; ++kw) {
          const int64_t h = at[2] * w.stride[0] - w.before[0] + kh * w.dilation[0];
          const int64_t v = at[3] * w.stride[1] - w.before[1] + kw * w.dilation[1];
          if (h < 0 || h >= x[2] || v < 0 || v >= x[3]) continue;
          fn(at.linear(), LinearIndex(x, {at[0], group * weight[1] + c, h, v}),
             LinearIndex(weight, {at[1], c, kh, kw}));
        }
      }
    }
  }
}

// Sums of products with what their error depends on.
class Sums {
 public:
  Sums(DType dtype, const Shape& shape)
      : y_(RefTensor::Of(dtype, shape)), magnitude_(y_.size(), 0), terms_(y_.size(), 0) {}
  void Add(int64_t i, Real a, Real b) {
    y_.values[i] += a * b;
    magnitude_[i] += std::abs(a * b);
    ++terms_[i];
  }
  RefTensor Finish() {
    for (int64_t i = 0; i < y_.size(); ++i) y_.SetError(i, SumError(terms_[i], magnitude_[i]));
    return std::move(y_);
  }

 private:
  RefTensor y_;
  std::vector<Real> magnitude_;
  std::vector<int64_t> terms_;
};

std::vector<RefTensor> ForwardReference(const RefCall& call) {
  const RefTensor &x = call.in(0), &weight = call.in(1);
  const Window w = WindowOf(call.attrs);
  Sums y(x.dtype, OutputShape(x.shape, weight.shape, w));
  ForEachProduct(x.shape, weight.shape, w,
                 [&](int64_t o, int64_t i, int64_t k) { y.Add(o, x.values[i], weight.values[k]); });
  return {y.Finish()};
}

std::vector<RefTensor> BackwardInputReference(const RefCall& call) {
  const RefTensor &grad = call.in(0), &weight = call.in(1);
  const Shape shape(absl::MakeConstSpan(call.attrs.Ints("input_shape")));
  Sums dx(grad.dtype, shape);
  ForEachProduct(shape, weight.shape, WindowOf(call.attrs), [&](int64_t o, int64_t i, int64_t k) {
    dx.Add(i, grad.values[o], weight.values[k]);
  });
  return {dx.Finish()};
}

std::vector<RefTensor> BackwardWeightReference(const RefCall& call) {
  const RefTensor &x = call.in(0), &grad = call.in(1);
  const Shape shape(absl::MakeConstSpan(call.attrs.Ints("weight_shape")));
  Sums dw(x.dtype, shape);
  ForEachProduct(x.shape, shape, WindowOf(call.attrs),
                 [&](int64_t o, int64_t i, int64_t k) { dw.Add(k, x.values[i], grad.values[o]); });
  return {dw.Finish()};
}

struct Conv {
  Shape x, weight;
  Ints strides = {1, 1}, padding = {0, 0}, dilation = {1, 1};
  int64_t groups = 1;
};

void Add(CaseList* cases, const Conv& conv, DType dtype, Layout layout = Layout::kContiguous) {
  const std::vector<AttributeInit> attrs = {{"strides", conv.strides},
                                            {"padding", conv.padding},
                                            {"dilation", conv.dilation},
                                            {"groups", conv.groups}};
  Window w;
  for (int i = 0; i < 2; ++i) {
    w.stride[i] = conv.strides[i];
    w.dilation[i] = conv.dilation[i];
    w.before[i] = conv.padding[i];
    w.after[i] = conv.padding[conv.padding.size() == 4 ? i + 2 : i];
  }
  const Shape out = OutputShape(conv.x, conv.weight, w);
  const InputDef x = Input(dtype, conv.x, {}, layout);
  const InputDef weight = Input(dtype, conv.weight, {}, layout);
  const InputDef grad = Input(dtype, out, {}, layout);
  cases->push_back(
      {.op = "conv2d", .inputs = {x, weight}, .attrs = attrs, .reference = ForwardReference});
  auto with_shape = [&](const char* name, const Shape& shape) {
    std::vector<AttributeInit> all = attrs;
    all.push_back({name, shape});
    return all;
  };
  cases->push_back({.op = "conv2d_backward_input",
                    .inputs = {grad, weight},
                    .attrs = with_shape("input_shape", conv.x),
                    .reference = BackwardInputReference});
  cases->push_back({.op = "conv2d_backward_weight",
                    .inputs = {x, grad},
                    .attrs = with_shape("weight_shape", conv.weight),
                    .reference = BackwardWeightReference});
}

}  // namespace

void AddConvolutionCases(CaseList* cases, BadCaseList* bad) {
  const std::vector<Conv> convs = {
      {.x = {2, 1, 12, 12}, .weight = {6, 1, 5, 5}},  // LeNet's first, on smaller images
      {.x = {2, 6, 12, 12}, .weight = {16, 6, 5, 5}},
      {.x = {1, 1, 1, 1}, .weight = {1, 1, 1, 1}},
      {.x = {2, 3, 7, 9}, .weight = {4, 3, 3, 2}, .padding = {1, 1}},
      {.x = {2, 3, 7, 9}, .weight = {5, 3, 3, 3}, .strides = {2, 3}, .padding = {1, 0, 2, 1}},
      {.x = {1, 4, 9, 9}, .weight = {6, 2, 3, 3}, .dilation = {2, 1}, .groups = 2},
      {.x = {2, 4, 6, 7}, .weight = {4, 1, 3, 3}, .padding = {1, 1}, .groups = 4},
      {.x = {3, 5, 4, 4}, .weight = {7, 5, 1, 1}},
      {.x = {3, 5, 5, 5}, .weight = {7, 5, 1, 1}, .strides = {2, 2}},
      {.x = {0, 3, 5, 5}, .weight = {2, 3, 3, 3}},
      {.x = {1, 2, 3, 65}, .weight = {3, 2, 3, 5}, .padding = {1, 2}},
      {.x = {1, 2, 5, 5}, .weight = {2, 2, 5, 5}, .padding = {4, 4}},
      {.x = {1, 17, 8, 8}, .weight = {33, 17, 3, 3}, .padding = {1, 1}}};
  for (DType dtype : kFloatTypes) {
    for (const Conv& conv : convs) Add(cases, conv, dtype);
  }
  for (Layout layout : kStridedLayouts) {
    Add(cases, convs[3], DType::kF32, layout);
    Add(cases, convs[5], DType::kF32, layout);
    Add(cases, convs[4], DType::kBF16, layout);
  }
  const TensorSpec x{DType::kF32, {1, 3, 5, 5}}, weight{DType::kF32, {2, 3, 3, 3}};
  const TensorSpec grad{DType::kF32, {1, 2, 3, 3}};
  const auto refuse = [&](std::vector<TensorSpec> inputs, std::vector<AttributeInit> attrs,
                          std::vector<std::string> mentions = {}) {
    bad->push_back({"conv2d", std::move(inputs), std::move(attrs), std::move(mentions)});
  };
  refuse({x, {DType::kF32, {2, 4, 3, 3}}}, {});
  refuse({x, {DType::kF32, {2, 3, 7, 3}}}, {});
  refuse({x, {DType::kF64, {2, 3, 3, 3}}}, {});
  refuse({{DType::kF32, {3, 5, 5}}, weight}, {});
  refuse({{DType::kI32, {1, 3, 5, 5}}, {DType::kI32, {2, 3, 3, 3}}}, {}, {"floating"});
  refuse({x, weight}, {{"strides", Ints{0, 1}}}, {"stride"});
  refuse({x, weight}, {{"strides", Ints{1}}}, {"strides"});
  refuse({x, weight}, {{"padding", Ints{1, 2, 3}}}, {"padding"});
  refuse({x, weight}, {{"padding", Ints{-1, 0}}}, {"padding"});
  refuse({x, weight}, {{"dilation", Ints{1, 0}}}, {"dilation"});
  refuse({x, weight}, {{"groups", 2}}, {"groups"});
  refuse({x, weight}, {{"groups", 0}}, {"groups"});
  refuse({x, weight}, {{"padding", Ints{int64_t{1} << 62, int64_t{1} << 62}}});
  bad->push_back(
      {"conv2d_backward_input", {grad, weight}, {{"input_shape", Ints{1, 3, 9, 9}}}, {}});
  bad->push_back({"conv2d_backward_input", {grad, weight}, {}, {"input_shape"}, false});
  bad->push_back({"conv2d_backward_weight", {x, grad}, {{"weight_shape", Ints{2, 3, 1, 1}}}, {}});
  bad->push_back({"conv2d_backward_weight", {x, grad}, {{"weight_shape", Ints{2, 3}}}, {}});
}

}  // namespace tandem::conformance
