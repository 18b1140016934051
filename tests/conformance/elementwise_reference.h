// References of elementwise ops: a function of one element, applied by a naive loop with NumPy's
// broadcasting.
//
//   c.reference = Elementwise(Result::kFloat, [](const Element& e) { return std::exp(e.x[0]); },
//                             {.ulps = 4});
//
// Thread rules: pure functions.
#ifndef TANDEM_TESTS_CONFORMANCE_ELEMENTWISE_REFERENCE_H_
#define TANDEM_TESTS_CONFORMANCE_ELEMENTWISE_REFERENCE_H_

#include <functional>
#include <vector>

#include "tandem/tests/conformance/case.h"

namespace tandem::conformance {

// The dtype of a result, from the promoted dtype of the inputs.
enum class Result {
  kPromoted,
  kFloat,  // integers and bools give f32
  kBool,
};

// The elements of the inputs at one position.
struct Element {
  std::vector<Real> x;
  DType dtype;  // that the inputs are promoted to
  const AttributeMap& attrs;
};

struct ElementError {
  Real ulps = 0.5L;
  // Absolute, in units of roundoff, from the element and its exact result; null: 0.
  std::function<Real(const Element&, Real)> absolute = nullptr;
};

// The first `unpromoted` inputs do not take part in the promotion.
Reference Elementwise(Result result, std::function<Real(const Element&)> fn,
                      ElementError error = {}, int unpromoted = 0);

// a * b of integers, as two's complement with 64 bits has it.
Real WrappedProduct(Real a, Real b);

// The value of `shape`'s element at the position `at` of a result that `shape` broadcasts to.
Real BroadcastElement(const RefTensor& t, const std::vector<int64_t>& at);
// NumPy's rule; the shapes must fit.
Shape BroadcastShape(const Shape& a, const Shape& b);

}  // namespace tandem::conformance

#endif  // TANDEM_TESTS_CONFORMANCE_ELEMENTWISE_REFERENCE_H_
