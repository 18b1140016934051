#include "tandem/tests/conformance/elementwise_reference.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tandem::conformance {

Shape BroadcastShape(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result;
  for (int axis = 0; axis < rank; ++axis) {
    const int in_a = axis - (rank - a.rank());
    const int in_b = axis - (rank - b.rank());
    const int64_t from_a = in_a < 0 ? 1 : a[in_a];
    const int64_t from_b = in_b < 0 ? 1 : b[in_b];
    result.push_back(from_a == 1 ? from_b : from_a);
  }
  return result;
}

Real BroadcastElement(const RefTensor& t, const std::vector<int64_t>& at) {
  const int leading = static_cast<int>(at.size()) - t.shape.rank();
  int64_t linear = 0;
  for (int axis = 0; axis < t.shape.rank(); ++axis) {
    linear = linear * t.shape[axis] + (t.shape[axis] == 1 ? 0 : at[axis + leading]);
  }
  return t.values[linear];
}

Real WrappedProduct(Real a, Real b) {
  const auto bits = [](Real x) { return static_cast<uint64_t>(static_cast<int64_t>(x)); };
  return static_cast<Real>(static_cast<int64_t>(bits(a) * bits(b)));
}

Reference Elementwise(Result result, std::function<Real(const Element&)> fn, ElementError error,
                      int unpromoted) {
  return [=](const RefCall& call) {
    DType dtype = call.in(unpromoted).dtype;
    Shape shape;
    for (int i = 0; i < static_cast<int>(call.inputs.size()); ++i) {
      if (i >= unpromoted) dtype = Promote(dtype, call.in(i).dtype);
      shape = BroadcastShape(shape, call.in(i).shape);
    }
    DType out = dtype;
    if (result == Result::kBool) out = DType::kBool;
    if (result == Result::kFloat && !IsFloating(dtype)) out = DType::kF32;
    RefTensor y = RefTensor::Of(out, shape);
    y.ulps = error.ulps;
    Element element{std::vector<Real>(call.inputs.size()), dtype, call.attrs};
    for (Index at(shape); at.valid(); at.Next()) {
      for (size_t i = 0; i < call.inputs.size(); ++i) {
        element.x[i] = BroadcastElement(call.inputs[i], at.at());
      }
      const Real value = fn(element);
      y.values[at.linear()] = IsFloating(out) ? value : RoundTo(value, out);
      if (error.absolute) y.SetError(at.linear(), error.absolute(element, value));
    }
    return std::vector<RefTensor>{std::move(y)};
  };
}

}  // namespace tandem::conformance
