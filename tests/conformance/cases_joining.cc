// split, concat and stack.

#include <limits>
#include <utility>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {
namespace {

std::vector<RefTensor> SplitReference(const RefCall& call) {
  const RefTensor& x = call.in(0);
  const int axis = Axis(call.attrs.Int("axis"), x.shape.rank());
  Ints sizes = call.attrs.Ints("sizes");
  const int64_t sections = call.attrs.Int("sections");
  if (sizes.empty()) sizes.assign(sections, x.shape[axis] / sections);
  std::vector<RefTensor> parts;
  int64_t begin = 0;
  for (int64_t size : sizes) {
    Shape shape = x.shape;
    shape[axis] = size;
    RefTensor part = RefTensor::Of(x.dtype, shape);
    for (Index at(shape); at.valid(); at.Next()) {
      std::vector<int64_t> from = at.at();
      from[axis] += begin;
      part.values[at.linear()] = x.values[LinearIndex(x.shape, from)];
    }
    begin += size;
    parts.push_back(std::move(part));
  }
  return parts;
}

std::vector<RefTensor> ConcatReference(const RefCall& call) {
  const int axis = Axis(call.attrs.Int("axis"), call.in(0).shape.rank());
  Shape shape = call.in(0).shape;
  shape[axis] = 0;
  for (const RefTensor& x : call.inputs) shape[axis] += x.shape[axis];
  RefTensor y = RefTensor::Of(call.in(0).dtype, shape);
  int64_t begin = 0;
  for (const RefTensor& x : call.inputs) {
    for (Index at(x.shape); at.valid(); at.Next()) {
      std::vector<int64_t> to = at.at();
      to[axis] += begin;
      y.values[LinearIndex(shape, to)] = x.values[at.linear()];
    }
    begin += x.shape[axis];
  }
  return {y};
}

std::vector<RefTensor> StackReference(const RefCall& call) {
  const int axis = Axis(call.attrs.Int("axis"), call.in(0).shape.rank() + 1);
  Shape shape = call.in(0).shape;
  shape.insert(axis, static_cast<int64_t>(call.inputs.size()));
  RefTensor y = RefTensor::Of(call.in(0).dtype, shape);
  for (Index at(shape); at.valid(); at.Next()) {
    std::vector<int64_t> from = at.at();
    from.erase(from.begin() + axis);
    const RefTensor& x = call.in(static_cast<int>(at[axis]));
    y.values[at.linear()] = x.values[LinearIndex(x.shape, from)];
  }
  return {y};
}

Fill FillOf(DType dtype) { return dtype == DType::kF64 ? Fill() : Specials(dtype); }

}  // namespace

void AddJoiningCases(CaseList* cases, BadCaseList* bad) {
  for (DType dtype : kAllTypes) {
    for (Layout layout : {Layout::kContiguous, Layout::kTransposed, Layout::kSliced,
                          Layout::kNegative, Layout::kBroadcast}) {
      const auto input = [&](const Shape& shape) {
        return Input(dtype, shape, FillOf(dtype), layout);
      };
      for (int64_t axis : {0, 1, -1}) {
        cases->push_back({.op = "split",
                          .inputs = {input({6, 9, 3})},
                          .attrs = {{"axis", axis}, {"sections", 3}},
                          .reference = SplitReference});
        cases->push_back({.op = "stack",
                          .inputs = {input({3, 5}), input({3, 5}), input({3, 5})},
                          .attrs = {{"axis", axis}},
                          .reference = StackReference});
      }
      cases->push_back({.op = "split",
                        .inputs = {input({2, 65})},
                        .attrs = {{"axis", 1}, {"sizes", Ints{1, 0, 64}}},
                        .reference = SplitReference});
      cases->push_back({.op = "concat",
                        .inputs = {input({1, 5}), input({7, 5}), input({0, 5})},
                        .attrs = {{"axis", 0}},
                        .reference = ConcatReference});
      cases->push_back({.op = "concat",
                        .inputs = {input({3, 2, 4}), input({3, 63, 4})},
                        .attrs = {{"axis", -2}},
                        .reference = ConcatReference});
      cases->push_back({.op = "concat", .inputs = {input({9})}, .reference = ConcatReference});
      cases->push_back(
          {.op = "stack", .inputs = {input({}), input({})}, .reference = StackReference});
    }
  }
  const TensorSpec x{DType::kF32, {2, 3}};
  bad->push_back({"split", {x}, {{"axis", 1}, {"sections", 2}}, {"equal"}});
  bad->push_back({"split", {x}, {}, {"sections"}});
  bad->push_back({"split", {x}, {{"sections", 2}, {"sizes", Ints{1, 1}}}, {"sections"}});
  bad->push_back({"split", {x}, {{"axis", 1}, {"sizes", Ints{1, 1}}}, {}});
  bad->push_back({"split", {x}, {{"sections", int64_t{1} << 40}}, {}});
  const int64_t max = std::numeric_limits<int64_t>::max();
  bad->push_back({"split", {x}, {{"sizes", Ints{max, max}}}, {"overflow"}});
  bad->push_back({"split", {x}, {{"axis", 2}, {"sections", 1}}, {"axis 2"}});
  bad->push_back({"concat", {x, {DType::kF32, {2, 4}}}, {}, {}});
  bad->push_back({"concat", {x, {DType::kF32, {2}}}, {}, {}});
  bad->push_back({"concat", {x, {DType::kF64, {2, 3}}}, {}, {}});
  bad->push_back({"concat", {x, x}, {{"axis", 2}}, {"axis 2"}});
  bad->push_back({"concat", {}, {}, {}, false});
  bad->push_back({"stack", {x, {DType::kF32, {3, 2}}}, {}, {}});
  bad->push_back({"stack", {x, {DType::kI32, {2, 3}}}, {}, {}});
  bad->push_back({"stack", {x, x}, {{"axis", 4}}, {"axis 4"}});
}

}  // namespace tandem::conformance
