// gather and what is made of it.

#include <algorithm>
#include <cmath>
#include <utility>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

int64_t Clip(Real index, int64_t size) {
  return static_cast<int64_t>(std::clamp(index, Real{0}, static_cast<Real>(size - 1)));
}

// The position in `indices` of a result's position.
std::vector<int64_t> IndexPart(const std::vector<int64_t>& at, int axis, int rank) {
  return std::vector<int64_t>(at.begin() + axis, at.begin() + axis + rank);
}

// The result's position with the index instead of its dimensions.
std::vector<int64_t> SourceOf(const std::vector<int64_t>& at, int axis, int rank, int64_t index) {
  std::vector<int64_t> source(at.begin(), at.begin() + axis);
  source.push_back(index);
  source.insert(source.end(), at.begin() + axis + rank, at.end());
  return source;
}

RefTensor Gather(const RefTensor& x, const RefTensor& indices, int axis) {
  Shape shape;
  for (int i = 0; i < axis; ++i) shape.push_back(x.shape[i]);
  for (int64_t d : indices.shape) shape.push_back(d);
  for (int i = axis + 1; i < x.shape.rank(); ++i) shape.push_back(x.shape[i]);
  RefTensor y = RefTensor::Of(x.dtype, shape);
  const int rank = indices.shape.rank();
  for (Index at(shape); at.valid(); at.Next()) {
    const Real index = indices.values[LinearIndex(indices.shape, IndexPart(at.at(), axis, rank))];
    y.values[at.linear()] =
        x.values[LinearIndex(x.shape, SourceOf(at.at(), axis, rank, Clip(index, x.shape[axis])))];
  }
  return y;
}

std::vector<RefTensor> GatherReference(const RefCall& call) {
  return {Gather(call.in(0), call.in(1), Axis(call.attrs.Int("axis"), call.in(0).shape.rank()))};
}

std::vector<RefTensor> EmbeddingReference(const RefCall& call) {
  return {Gather(call.in(1), call.in(0), 0)};
}

std::vector<RefTensor> GatherBackwardReference(const RefCall& call) {
  const RefTensor &grad = call.in(0), &indices = call.in(1);
  const int rank = indices.shape.rank();
  const int axis = Axis(call.attrs.Int("axis"), grad.shape.rank() - rank + 1);
  const int64_t size = call.attrs.Int("size");
  Shape shape;
  for (int i = 0; i < axis; ++i) shape.push_back(grad.shape[i]);
  shape.push_back(size);
  for (int i = axis + rank; i < grad.shape.rank(); ++i) shape.push_back(grad.shape[i]);
  RefTensor dx = RefTensor::Of(grad.dtype, shape);
  std::vector<Real> magnitude(dx.size(), 0);
  std::vector<int64_t> terms(dx.size(), 0);
  for (Index at(grad.shape); at.valid(); at.Next()) {
    const Real index = indices.values[LinearIndex(indices.shape, IndexPart(at.at(), axis, rank))];
    const int64_t to = LinearIndex(shape, SourceOf(at.at(), axis, rank, Clip(index, size)));
    dx.values[to] += grad.values[at.linear()];
    magnitude[to] += std::abs(grad.values[at.linear()]);
    ++terms[to];
  }
  for (int64_t i = 0; i < dx.size(); ++i) {
    if (!IsFloating(dx.dtype)) dx.values[i] = RoundTo(dx.values[i], dx.dtype);
    if (IsFloating(dx.dtype) && terms[i] > 1) dx.SetError(i, SumError(terms[i], magnitude[i]));
  }
  return {dx};
}

std::vector<RefTensor> OneHotReference(const RefCall& call) {
  const RefTensor& indices = call.in(0);
  const DType dtype = call.attrs.Type("dtype");
  const int64_t depth = call.attrs.Int("depth");
  Shape shape = indices.shape;
  shape.push_back(depth);
  RefTensor y = RefTensor::Of(dtype, shape);
  for (int64_t i = 0; i < y.size(); ++i) {
    const bool on = indices.values[i / depth] == static_cast<Real>(i % depth);
    const Real value = call.attrs.Double(on ? "on" : "off");
    y.values[i] = IsFloating(dtype) ? value : RoundTo(value, dtype);
  }
  return {y};
}

}  // namespace

void AddIndexingCases(CaseList* cases, BadCaseList* bad) {
  struct Use {
    Shape x, indices;
    int64_t axis;
  };
  const std::vector<Use> uses = {{{7, 5}, {65}, 0},  {{7, 5}, {3, 2}, 1}, {{4, 7, 3}, {2, 3}, -2},
                                 {{7}, {}, 0},       {{7, 5}, {0}, 0},    {{3, 7, 63}, {4}, 1},
                                 {{7, 1}, {9, 1}, 0}};
  const auto add = [&](const Use& use, DType dtype, DType index, Layout layout) {
    const InputDef x =
        Input(dtype, use.x, dtype == DType::kBool ? Specials(dtype) : Uniform(0, 9), layout);
    // Some are out of range and clip.
    const InputDef indices =
        Input(index, use.indices, index == DType::kU8 ? Uniform(0, 9) : Uniform(-2, 9), layout);
    cases->push_back({.op = "gather",
                      .inputs = {x, indices},
                      .attrs = {{"axis", use.axis}},
                      .reference = GatherReference});
    if (use.axis == 0) {
      cases->push_back(
          {.op = "embedding", .inputs = {indices, x}, .reference = EmbeddingReference});
    }
    if (dtype == DType::kBool) return;
    const int axis = Axis(use.axis, use.x.rank());
    Shape grad(use.x.span().subspan(0, axis));
    for (int64_t d : use.indices) grad.push_back(d);
    for (int i = axis + 1; i < use.x.rank(); ++i) grad.push_back(use.x[i]);
    cases->push_back({.op = "gather_backward",
                      .inputs = {Input(dtype, grad, Uniform(0, 9), layout), indices},
                      .attrs = {{"axis", use.axis}, {"size", use.x[axis]}},
                      .reference = GatherBackwardReference});
  };
  for (const Use& use : uses) {
    for (DType dtype : kAllTypes) add(use, dtype, DType::kI64, Layout::kContiguous);
    for (DType index : kIntegerTypes) add(use, DType::kF32, index, Layout::kContiguous);
    for (Layout layout : kStridedLayouts) add(use, DType::kF32, DType::kI32, layout);
  }
  for (DType index : kIntegerTypes) {
    for (DType dtype : kAllTypes) {
      for (const Shape& shape : {Shape{}, Shape{65}, Shape{3, 0}, Shape{2, 7}}) {
        cases->push_back(
            {.op = "one_hot",
             .inputs = {Input(index, shape, index == DType::kU8 ? Uniform(0, 9) : Uniform(-2, 9))},
             .attrs = {{"depth", 7}, {"dtype", dtype}},
             .reference = OneHotReference});
      }
    }
    cases->push_back({.op = "one_hot",
                      .inputs = {Input(index, {5, 3}, Uniform(0, 9), Layout::kTransposed)},
                      .attrs = {{"depth", 10}, {"on", 0.9}, {"off", 0.01}},
                      .reference = OneHotReference});
    cases->push_back({.op = "one_hot",
                      .inputs = {Input(index, {5}, Uniform(0, 9))},
                      .attrs = {{"depth", 0}},
                      .reference = OneHotReference});
  }
  const TensorSpec x{DType::kF32, {4, 3}}, i{DType::kI64, {5}};
  bad->push_back({"gather", {x, {DType::kF32, {5}}}, {}, {"integer"}});
  bad->push_back({"gather", {x, i}, {{"axis", 2}}, {"axis 2"}});
  bad->push_back({"gather", {{DType::kF32, {}}, i}, {}, {}});
  bad->push_back({"gather", {{DType::kF32, {0, 3}}, i}, {}, {"size 0"}});
  bad->push_back({"gather_backward", {x, i}, {{"size", 4}}, {}});
  bad->push_back({"gather_backward", {{DType::kF32, {5, 3}}, i}, {{"size", -1}}, {"size"}});
  bad->push_back({"gather_backward", {{DType::kF32, {5, 3}}, i}, {}, {"size"}, false});
  bad->push_back({"embedding", {{DType::kF32, {5}}, x}, {}, {"integer"}});
  bad->push_back({"embedding", {i, {DType::kF32, {}}}, {}, {"rank 1"}});
  bad->push_back({"one_hot", {{DType::kF32, {5}}}, {{"depth", 3}}, {"integer"}});
  bad->push_back({"one_hot", {i}, {{"depth", -3}}, {"depth"}});
  bad->push_back({"one_hot", {i}, {}, {"depth"}, false});
}

}  // namespace tandem::conformance
