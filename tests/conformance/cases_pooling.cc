// Pooling and its gradients.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

struct Pool {
  int64_t kernel[2], stride[2], before[2], after[2];
  bool ceil_mode;
  bool count_include_pad;
};

Pool Make(const Ints& kernel, const Ints& strides, const Ints& padding, bool ceil_mode,
          bool count_include_pad) {
  Pool p;
  for (int i = 0; i < 2; ++i) {
    p.kernel[i] = kernel[i];
    p.stride[i] = strides.empty() ? kernel[i] : strides[i];
    p.before[i] = padding[i];
    p.after[i] = padding[padding.size() == 4 ? i + 2 : i];
  }
  p.ceil_mode = ceil_mode;
  p.count_include_pad = count_include_pad;
  return p;
}

Pool PoolOf(const AttributeMap& attrs) {
  const bool has = attrs.schema().Find("count_include_pad") >= 0;
  return Make(attrs.Ints("kernel"), attrs.Ints("strides"), attrs.Ints("padding"),
              attrs.Bool("ceil_mode"), has && attrs.Bool("count_include_pad"));
}

Shape OutputShape(const Shape& x, const Pool& p) {
  Shape out = {x[0], x[1]};
  for (int i = 0; i < 2; ++i) {
    const int64_t room = x[2 + i] + p.before[i] + p.after[i] - p.kernel[i];
    int64_t size = (room + (p.ceil_mode ? p.stride[i] - 1 : 0)) / p.stride[i] + 1;
    // A window must begin in the input or in the padding before it.
    if (p.ceil_mode && (size - 1) * p.stride[i] >= x[2 + i] + p.before[i]) --size;
    out.push_back(size);
  }
  return out;
}

struct WindowElements {
  std::vector<int64_t> inside;  // positions in the input, in row-major order
  int64_t padded = 0;           // taps in the padded input
};

WindowElements Elements(const Shape& x, const Pool& p, const Index& at) {
  WindowElements e;
  for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
    for (int64_t kw = 0; kw < p.kernel[1]; ++kw) {
      const int64_t h = at[2] * p.stride[0] - p.before[0] + kh;
      const int64_t w = at[3] * p.stride[1] - p.before[1] + kw;
      if (h >= x[2] + p.after[0] || w >= x[3] + p.after[1]) continue;
      ++e.padded;
      if (h < 0 || w < 0 || h >= x[2] || w >= x[3]) continue;
      e.inside.push_back(LinearIndex(x, {at[0], at[1], h, w}));
    }
  }
  return e;
}

// The position of the maximum: the first one, the first NaN before it.
int64_t ArgMax(const RefTensor& x, const WindowElements& e) {
  int64_t best = e.inside[0];
  for (int64_t i : e.inside) {
    if (std::isnan(x.values[best])) break;
    if (std::isnan(x.values[i]) || x.values[i] > x.values[best]) best = i;
  }
  return best;
}

std::vector<RefTensor> MaxReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  const Pool p = PoolOf(call.attrs);
  RefTensor y = RefTensor::Of(x.dtype, OutputShape(x.shape, p));
  for (Index at(y.shape); at.valid(); at.Next()) {
    y.values[at.linear()] = x.values[ArgMax(x, Elements(x.shape, p, at))];
  }
  return {y};
}

std::vector<RefTensor> MaxBackwardReference(const RefCall& call) {
  const RefTensor &grad = call.in(0), &x = call.in(1);
  const Pool p = PoolOf(call.attrs);
  RefTensor dx = RefTensor::Like(x, x.dtype);
  std::vector<Real> magnitude(dx.size(), 0);
  std::vector<int64_t> terms(dx.size(), 0);
  for (Index at(grad.shape); at.valid(); at.Next()) {
    const int64_t i = ArgMax(x, Elements(x.shape, p, at));
    dx.values[i] += grad.values[at.linear()];
    magnitude[i] += std::abs(grad.values[at.linear()]);
    ++terms[i];
  }
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (terms[i] > 1) dx.SetError(i, SumError(terms[i], magnitude[i]));
  }
  return {dx};
}

std::vector<RefTensor> AverageReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  const Pool p = PoolOf(call.attrs);
  RefTensor y = RefTensor::Of(x.dtype, OutputShape(x.shape, p));
  for (Index at(y.shape); at.valid(); at.Next()) {
    const WindowElements e = Elements(x.shape, p, at);
    const int64_t count = static_cast<int64_t>(e.inside.size());
    const Real divisor = static_cast<Real>(p.count_include_pad ? e.padded : count);
    Real sum = 0, magnitude = 0;
    for (int64_t i : e.inside) sum += x.values[i], magnitude += std::abs(x.values[i]);
    y.values[at.linear()] = sum / divisor;
    y.SetError(at.linear(), (SumError(count, magnitude) + 2 * std::abs(sum)) / divisor);
  }
  return {y};
}

std::vector<RefTensor> AverageBackwardReference(const RefCall& call) {
  const RefTensor& grad = call.in(0);
  const Pool p = PoolOf(call.attrs);
  RefTensor dx =
      RefTensor::Of(grad.dtype, Shape(absl::MakeConstSpan(call.attrs.Ints("input_shape"))));
  std::vector<Real> magnitude(dx.size(), 0);
  std::vector<int64_t> terms(dx.size(), 0);
  for (Index at(grad.shape); at.valid(); at.Next()) {
    const WindowElements e = Elements(dx.shape, p, at);
    const Real divisor =
        static_cast<Real>(p.count_include_pad ? e.padded : static_cast<int64_t>(e.inside.size()));
    for (int64_t i : e.inside) {
      dx.values[i] += grad.values[at.linear()] / divisor;
      magnitude[i] += std::abs(grad.values[at.linear()] / divisor);
      ++terms[i];
    }
  }
  // Every share is rounded, by up to two operations.
  for (int64_t i = 0; i < dx.size(); ++i) {
    dx.SetError(i, SumError(terms[i], magnitude[i]) + 2 * magnitude[i]);
  }
  return {dx};
}

std::vector<RefTensor> GlobalReference(const RefCall& call, bool maximum) {
  const RefTensor& x = call.in(0);
  RefTensor y = RefTensor::Of(x.dtype, {x.shape[0], x.shape[1], 1, 1});
  const int64_t count = x.shape[2] * x.shape[3];
  for (int64_t i = 0; i < y.size(); ++i) {
    Real sum = 0, magnitude = 0, best = x.values[i * count];
    for (int64_t j = i * count; j < (i + 1) * count; ++j) {
      const Real value = x.values[j];
      sum += value;
      magnitude += std::abs(value);
      if (std::isnan(value) || (!std::isnan(best) && value > best)) best = value;
    }
    y.values[i] = maximum ? best : sum / static_cast<Real>(count);
    if (maximum) continue;
    y.SetError(i,
               SumError(count, magnitude) / static_cast<Real>(count) + 2 * std::abs(y.values[i]));
  }
  return {y};
}

struct Use {
  Shape x;
  Ints kernel, strides = {}, padding = {0, 0};
  bool ceil_mode = false;
  bool include = true;
};

void Add(CaseList* cases, const Use& use, DType dtype, Layout layout = Layout::kContiguous) {
  const std::vector<AttributeInit> attrs = {{"kernel", use.kernel},
                                            {"strides", use.strides},
                                            {"padding", use.padding},
                                            {"ceil_mode", use.ceil_mode}};
  const Shape out =
      OutputShape(use.x, Make(use.kernel, use.strides, use.padding, use.ceil_mode, use.include));
  const InputDef x = Input(dtype, use.x, {}, layout), grad = Input(dtype, out, {}, layout);
  cases->push_back({.op = "max_pool2d", .inputs = {x}, .attrs = attrs, .reference = MaxReference});
  cases->push_back({.op = "max_pool2d_backward",
                    .inputs = {grad, x},
                    .attrs = attrs,
                    .reference = MaxBackwardReference,
                    .gradient_inputs = {0}});
  auto average = attrs;
  average.push_back({"count_include_pad", use.include});
  cases->push_back(
      {.op = "avg_pool2d", .inputs = {x}, .attrs = average, .reference = AverageReference});
  average.push_back({"input_shape", use.x});
  cases->push_back({.op = "avg_pool2d_backward",
                    .inputs = {grad},
                    .attrs = average,
                    .reference = AverageBackwardReference});
}

}  // namespace

void AddPoolingCases(CaseList* cases, BadCaseList* bad) {
  const std::vector<Use> uses = {
      {.x = {2, 6, 24, 24}, .kernel = {2, 2}},  // LeNet's
      {.x = {2, 3, 7, 9}, .kernel = {3, 2}, .strides = {2, 1}, .padding = {1, 1}},
      {.x = {1, 2, 7, 8}, .kernel = {3, 3}, .strides = {2, 2}, .padding = {0, 1, 2, 0}},
      {.x = {1, 2, 7, 8}, .kernel = {3, 3}, .strides = {2, 2}, .ceil_mode = true},
      {.x = {1, 2, 8, 10},
       .kernel = {3, 3},
       .strides = {3, 2},
       .padding = {1, 1},
       .ceil_mode = true,
       .include = false},
      {.x = {1, 1, 1, 1}, .kernel = {1, 1}},
      {.x = {0, 2, 4, 4}, .kernel = {2, 2}},
      {.x = {1, 2, 5, 65}, .kernel = {2, 3}, .strides = {1, 1}, .include = false},
      {.x = {1, 2, 9, 9}, .kernel = {2, 2}, .strides = {3, 4}}};
  const Real infinity = std::numeric_limits<Real>::infinity();
  for (DType dtype : kFloatTypes) {
    for (const Use& use : uses) Add(cases, use, dtype);
    cases->push_back(
        {.op = "max_pool2d",
         .inputs = {Input(dtype, {1, 1, 4, 4},
                          Values({1, std::nanl(""), -infinity, -infinity, 3, 2, -infinity,
                                  -infinity, 0, infinity, 5, 5, 1, 2, 5, std::nanl("")}))},
         .attrs = {{"kernel", Ints{2, 2}}, {"padding", Ints{1, 1}}, {"strides", Ints{1, 1}}},
         .reference = MaxReference});
    for (const char* op : {"global_avg_pool2d", "global_max_pool2d"}) {
      const bool maximum = op == std::string("global_max_pool2d");
      for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{1, 1, 1, 1}, Shape{0, 2, 3, 3}}) {
        cases->push_back({.op = op,
                          .inputs = {Input(dtype, shape)},
                          .reference = [maximum](const RefCall& call) {
                            return GlobalReference(call, maximum);
                          }});
      }
    }
  }
  for (Layout layout : kStridedLayouts) {
    Add(cases, uses[1], DType::kF32, layout);
    Add(cases, uses[4], DType::kF16, layout);
  }
  const TensorSpec x{DType::kF32, {1, 2, 5, 5}}, grad{DType::kF32, {1, 2, 2, 2}};
  for (const char* op : {"max_pool2d", "avg_pool2d"}) {
    bad->push_back({op, {x}, {}, {"kernel"}, false});
    bad->push_back({op, {x}, {{"kernel", Ints{6, 2}}}, {}});
    bad->push_back({op, {x}, {{"kernel", Ints{2}}}, {"kernel"}});
    bad->push_back({op, {x}, {{"kernel", Ints{2, 2}}, {"padding", Ints{2, 2}}}, {"padding"}});
    bad->push_back({op, {x}, {{"kernel", Ints{2, 2}}, {"strides", Ints{0, 1}}}, {"stride"}});
    bad->push_back({op, {{DType::kF32, {2, 5, 5}}}, {{"kernel", Ints{2, 2}}}, {}});
    bad->push_back({op, {{DType::kI32, {1, 2, 5, 5}}}, {{"kernel", Ints{2, 2}}}, {"floating"}});
  }
  bad->push_back({"max_pool2d_backward", {grad, x}, {{"kernel", Ints{3, 3}}}, {}});
  bad->push_back({"avg_pool2d_backward",
                  {grad},
                  {{"kernel", Ints{3, 3}}, {"input_shape", Ints{1, 2, 5, 5}}},
                  {}});
  for (const char* op : {"global_avg_pool2d", "global_max_pool2d"}) {
    bad->push_back({op, {{DType::kF32, {2, 3, 4}}}, {}, {"rank 4"}});
    bad->push_back({op, {{DType::kF32, {2, 3, 0, 4}}}, {}, {"empty"}});
  }
}

}  // namespace tandem::conformance
