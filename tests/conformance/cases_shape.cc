// Ops that move elements: views, slices, padding.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "tandem/tests/conformance/case.h"
#include "tandem/tests/conformance/elementwise_reference.h"

namespace tandem::conformance {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

// The same elements with another shape.
Reference SameElements(Shape result) {
  return [result](const RefCall& call) {
    RefTensor y = call.in(0);
    y.shape = result;
    return std::vector<RefTensor>{y};
  };
}

std::vector<RefTensor> TransposeReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  Ints axes = call.attrs.Ints("axes");
  for (int i = x.shape.rank() - 1; i >= 0 && static_cast<int>(axes.size()) < x.shape.rank(); --i) {
    axes.push_back(i);
  }
  Shape shape;
  for (int64_t a : axes) shape.push_back(x.shape[Axis(a, x.shape.rank())]);
  RefTensor y = RefTensor::Of(x.dtype, shape);
  for (Index at(shape); at.valid(); at.Next()) {
    std::vector<int64_t> from(axes.size());
    for (size_t i = 0; i < axes.size(); ++i) {
      from[Axis(axes[i], x.shape.rank())] = at[static_cast<int>(i)];
    }
    y.values[at.linear()] = x.values[LinearIndex(x.shape, from)];
  }
  return {y};
}

std::vector<RefTensor> BroadcastReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  Shape shape(absl::MakeConstSpan(call.attrs.Ints("shape")));
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) shape[i] = x.shape[i - (shape.rank() - x.shape.rank())];
  }
  RefTensor y = RefTensor::Of(x.dtype, shape);
  for (Index at(shape); at.valid(); at.Next()) {
    y.values[at.linear()] = BroadcastElement(x, at.at());
  }
  return {y};
}

// The indices that Python's range(n)[begin:end:step] has.
std::vector<int64_t> PythonSlice(int64_t n, int64_t begin, int64_t end, int64_t step) {
  std::vector<int64_t> indices;
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
  const auto clip = [&](int64_t i) {
    if (i < 0) i = i < -n ? low : i + n;
    return std::clamp(i, low, std::max(low, high));
  };
  const int64_t first = clip(begin), last = clip(end);
  for (int64_t i = first; step > 0 ? i < last : i > last;) {
    indices.push_back(i);
    if (step > 0 ? i > last - step : i < last - step) break;
    i += step;
  }
  return indices;
}

// For each axis of `shape` the indices that the attributes select.
std::vector<std::vector<int64_t>> Selected(const Shape& shape, const AttributeMap& attrs) {
  const Ints &begin = attrs.Ints("begin"), &end = attrs.Ints("end"), &step = attrs.Ints("strides");
  std::vector<std::vector<int64_t>> selected;
  for (size_t i = 0; i < static_cast<size_t>(shape.rank()); ++i) {
    const int64_t n = shape[static_cast<int>(i)];
    selected.push_back(i < begin.size()
                           ? PythonSlice(n, begin[i], end[i], step.empty() ? 1 : step[i])
                           : PythonSlice(n, 0, n, 1));
  }
  return selected;
}

Shape SizesOf(const std::vector<std::vector<int64_t>>& selected) {
  Shape shape;
  for (const auto& indices : selected) shape.push_back(static_cast<int64_t>(indices.size()));
  return shape;
}

int64_t SelectedPosition(const Shape& shape, const std::vector<std::vector<int64_t>>& selected,
                         const Index& at) {
  std::vector<int64_t> from;
  for (int i = 0; i < shape.rank(); ++i) from.push_back(selected[i][at[i]]);
  return LinearIndex(shape, from);
}

std::vector<RefTensor> SliceReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  const auto selected = Selected(x.shape, call.attrs);
  RefTensor y = RefTensor::Of(x.dtype, SizesOf(selected));
  for (Index at(y.shape); at.valid(); at.Next()) {
    y.values[at.linear()] = x.values[SelectedPosition(x.shape, selected, at)];
  }
  return {y};
}

std::vector<RefTensor> SliceBackwardReference(const RefCall& call) {
  const RefTensor& grad = call.in(0);
  RefTensor dx =
      RefTensor::Of(grad.dtype, Shape(absl::MakeConstSpan(call.attrs.Ints("input_shape"))));
  const auto selected = Selected(dx.shape, call.attrs);
  for (Index at(grad.shape); at.valid(); at.Next()) {
    dx.values[SelectedPosition(dx.shape, selected, at)] = grad.values[at.linear()];
  }
  return {dx};
}

std::vector<RefTensor> PadReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  const Ints &before = call.attrs.Ints("before"), &after = call.attrs.Ints("after");
  Shape shape;
  for (int i = 0; i < x.shape.rank(); ++i) shape.push_back(before[i] + x.shape[i] + after[i]);
  Real value = call.attrs.Double("value");
  if (!IsFloating(x.dtype)) value = RoundTo(std::trunc(value), x.dtype);
  RefTensor y = RefTensor::Of(x.dtype, shape, value);
  for (Index at(x.shape); at.valid(); at.Next()) {
    std::vector<int64_t> to = at.at();
    for (int i = 0; i < x.shape.rank(); ++i) to[i] += before[i];
    y.values[LinearIndex(shape, to)] = x.values[at.linear()];
  }
  return {y};
}

// A case for every dtype, and for every layout of f32.
void AddForAll(CaseList* cases, const Case& base, const Shape& shape) {
  for (DType dtype : kAllTypes) {
    Case c = base;
    c.inputs = {Input(dtype, shape, dtype == DType::kF64 ? Fill() : Specials(dtype))};
    cases->push_back(std::move(c));
  }
  for (Layout layout : kStridedLayouts) {
    Case c = base;
    c.inputs = {Input(DType::kF32, shape, {}, layout)};
    cases->push_back(c);
    c.inputs = {Input(DType::kI8, shape, {}, layout)};
    cases->push_back(std::move(c));
  }
}

struct SliceUse {
  Shape x;
  Ints begin, end, strides;
};

}  // namespace

void AddShapeCases(CaseList* cases, BadCaseList* bad) {
  struct ReshapeUse {
    Shape x;
    Ints shape;
    Shape result;
  };
  // R19: the codes 0, -1, -2, -3, -4.
  for (const ReshapeUse& use : {ReshapeUse{{4, 3, 5}, {5, 12}, {5, 12}},
                                {{4, 3, 5}, {0, -1}, {4, 15}},
                                {{4, 3, 5}, {-1}, {60}},
                                {{4, 3, 5}, {-2}, {4, 3, 5}},
                                {{4, 3, 5}, {-3, 0}, {12, 5}},
                                {{4, 3, 5}, {-4, 2, -1, -2}, {2, 2, 3, 5}},
                                {{1}, {}, {}},
                                {{0, 3}, {0, 3, 1}, {0, 3, 1}}}) {
    AddForAll(
        cases,
        {.op = "reshape", .attrs = {{"shape", use.shape}}, .reference = SameElements(use.result)},
        use.x);
  }
  AddForAll(cases,
            {.op = "expand_dims", .attrs = {{"axis", 1}}, .reference = SameElements({3, 1, 5})},
            {3, 5});
  AddForAll(cases,
            {.op = "expand_dims", .attrs = {{"axis", -1}}, .reference = SameElements({3, 5, 1})},
            {3, 5});
  AddForAll(cases, {.op = "squeeze", .reference = SameElements({3, 5})}, {1, 3, 1, 5, 1});
  AddForAll(
      cases,
      {.op = "squeeze", .attrs = {{"axes", Ints{-3}}}, .reference = SameElements({1, 3, 5, 1})},
      {1, 3, 1, 5, 1});
  for (const Ints& axes : {Ints{}, Ints{1, 0, 2}, Ints{0, 2, 1}, Ints{2, 0, 1}, Ints{-1, 1, 0}}) {
    AddForAll(cases,
              {.op = "transpose", .attrs = {{"axes", axes}}, .reference = TransposeReference},
              {3, 65, 7});
  }
  AddForAll(cases, {.op = "transpose", .reference = TransposeReference}, {});
  for (const Ints& shape : {Ints{2, 3, 5}, Ints{3, -1}, Ints{0, 3, 5}}) {
    AddForAll(cases,
              {.op = "broadcast_to", .attrs = {{"shape", shape}}, .reference = BroadcastReference},
              {1, 5});
  }
  for (const SliceUse& use : {SliceUse{{10, 7}, {2}, {8}, {}},
                              {{10, 7}, {-1, 1}, {-11, -1}, {-2, 3}},
                              {{10, 7}, {0, 3}, {kMax, kMax}, {3, 1}},
                              {{10, 7}, {9, 6}, {kMin, kMin}, {-1, -2}},
                              {{10, 7}, {5}, {5}, {}},
                              {{10, 7}, {8}, {2}, {}},
                              {{10, 7}, {-100, -3}, {100, 2}, {4, -1}},
                              {{3, 65, 2}, {0, 1, 0}, {3, 64, 1}, {}}}) {
    const std::vector<AttributeInit> attrs = {
        {"begin", use.begin}, {"end", use.end}, {"strides", use.strides}};
    AddForAll(cases, {.op = "slice", .attrs = attrs, .reference = SliceReference}, use.x);
    Shape size;
    for (int i = 0; i < use.x.rank(); ++i) {
      const bool named = i < static_cast<int>(use.begin.size());
      size.push_back(static_cast<int64_t>(
          PythonSlice(use.x[i], named ? use.begin[i] : 0, named ? use.end[i] : kMax,
                      named && !use.strides.empty() ? use.strides[i] : 1)
              .size()));
    }
    std::vector<AttributeInit> backward = attrs;
    backward.push_back({"input_shape", use.x});
    AddForAll(cases,
              {.op = "slice_backward", .attrs = backward, .reference = SliceBackwardReference},
              size);
  }
  for (double value : {0.0, 1.0, 2.5}) {
    AddForAll(cases,
              {.op = "pad",
               .attrs = {{"before", Ints{1, 0, 2}}, {"after", Ints{0, 3, 1}}, {"value", value}},
               .reference = PadReference},
              {3, 5, 7});
  }
  AddForAll(cases,
            {.op = "pad",
             .attrs = {{"before", Ints{1, 2}}, {"after", Ints{3, 0}}},
             .reference = PadReference},
            {0, 2});

  const TensorSpec x{DType::kF32, {2, 3}};
  bad->push_back({"reshape", {x}, {{"shape", Ints{4, 2}}}, {}});
  bad->push_back({"reshape", {x}, {{"shape", Ints{-1, -1}}}, {}});
  bad->push_back({"reshape", {x}, {{"shape", Ints{-5}}}, {"-5"}});
  bad->push_back({"reshape", {x}, {{"shape", Ints{int64_t{1} << 62, int64_t{1} << 62}}}, {}});
  bad->push_back({"reshape", {x}, {}, {"shape"}, false});
  bad->push_back({"expand_dims", {x}, {{"axis", 4}}, {"axis 4"}});
  bad->push_back({"squeeze", {x}, {{"axes", Ints{0}}}, {"size 2"}});
  bad->push_back({"squeeze", {x}, {{"axes", Ints{9}}}, {"9"}});
  bad->push_back({"transpose", {x}, {{"axes", Ints{0, 0}}}, {"twice"}});
  bad->push_back({"transpose", {x}, {{"axes", Ints{0}}}, {}});
  bad->push_back({"broadcast_to", {x}, {{"shape", Ints{4, 3}}}, {}});
  bad->push_back({"broadcast_to", {x}, {{"shape", Ints{3}}}, {}});
  bad->push_back({"broadcast_to",
                  {{DType::kF32, {}}},
                  {{"shape", Ints{int64_t{1} << 40, int64_t{1} << 40}}},
                  {},
                  false});
  bad->push_back({"slice", {x}, {{"begin", Ints{0}}, {"end", Ints{1, 2}}}, {}});
  bad->push_back(
      {"slice", {x}, {{"begin", Ints{0}}, {"end", Ints{1}}, {"strides", Ints{0}}}, {"stride"}});
  bad->push_back({"slice", {x}, {{"begin", Ints{0, 0, 0}}, {"end", Ints{1, 1, 1}}}, {}});
  bad->push_back({"slice_backward",
                  {x},
                  {{"input_shape", Ints{5, 3}}, {"begin", Ints{0}}, {"end", Ints{4}}},
                  {}});
  bad->push_back({"pad", {x}, {{"before", Ints{1}}, {"after", Ints{1, 1}}}, {}});
  bad->push_back({"pad", {x}, {{"before", Ints{-1, 0}}, {"after", Ints{1, 1}}}, {"negative"}});
  bad->push_back({"pad", {x}, {{"before", Ints{kMax, 0}}, {"after", Ints{1, 1}}}, {"overflow"}});
}

}  // namespace tandem::conformance
