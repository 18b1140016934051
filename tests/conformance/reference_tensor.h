// RefTensor: what an op should give, calculated with long double by loops that nobody optimized, and
// how far a device may be from it.
//
//   RefTensor y = RefTensor::Like(x, DType::kF32);
//   for (int64_t i = 0; i < y.size(); ++i) y.values[i] = std::exp(x.values[i]);
//   y.ulps = 4;
//   std::string wrong = Compare(y, actual);  // "" or the first element that is out of bounds
//
// The error model. A device calculates in the compute type of the result (f32 for f16 and bf16, the
// type itself for f32 and f64) and rounds once at the store. An element may be off by
//   * `ulps` units in the last place of the compute type; 0.5 is "correctly rounded", and
//   * `error[i]` units of roundoff u of the compute type (2^-24, 2^-53), an absolute number: for a
//     sum of K products SumError(K, Σ|a||b|), that is c·√K·Σ|a||b| (N. J. Higham and T. Mary, "A new
//     approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019).
// Integers and bools are compared exactly. NaN must be NaN, and infinities must agree.
// Thread rules: value types, pure functions.
#ifndef TANDEM_TESTS_CONFORMANCE_REFERENCE_TENSOR_H_
#define TANDEM_TESTS_CONFORMANCE_REFERENCE_TENSOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::conformance {

// 64 bits of precision on x86, so that it holds every i64 and is a reference for f64 too.
using Real = long double;

struct RefTensor {
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<Real> values;  // row-major
  Real ulps = 0.5L;
  std::vector<Real> error;  // one for each element, or empty: 0

  static RefTensor Of(DType dtype, const Shape& shape, Real value = 0) {
    RefTensor t;
    t.dtype = dtype;
    t.shape = shape;
    t.values.assign(shape.num_elements(), value);
    return t;
  }
  static RefTensor Like(const RefTensor& other, DType dtype) { return Of(dtype, other.shape); }
  int64_t size() const { return static_cast<int64_t>(values.size()); }
  TensorSpec spec() const { return {dtype, shape}; }
  void SetError(int64_t i, Real e) {
    if (error.empty()) error.assign(values.size(), 0);
    error[i] = e;
  }
};

// Positions in a shape, in row-major order.
//   for (Index at(shape); at.valid(); at.Next()) values[at.linear()] = f(at[0], at[1]);
class Index {
 public:
  explicit Index(const Shape& shape) : shape_(shape), at_(shape.rank(), 0) {
    valid_ = shape.num_elements() > 0;
  }
  bool valid() const { return valid_; }
  int64_t linear() const { return linear_; }
  int64_t operator[](int axis) const { return at_[axis]; }
  const std::vector<int64_t>& at() const { return at_; }
  void Next() {
    ++linear_;
    for (int axis = shape_.rank() - 1; axis >= 0; --axis) {
      if (++at_[axis] < shape_[axis]) return;
      at_[axis] = 0;
    }
    valid_ = false;
  }

 private:
  Shape shape_;
  std::vector<int64_t> at_;
  int64_t linear_ = 0;
  bool valid_ = true;
};

// The row-major position of `at` in `shape`.
int64_t LinearIndex(const Shape& shape, const std::vector<int64_t>& at);

// `value` as the dtype stores it: rounded to nearest even (f16 … f64), wrapped (integers), or 0 and
// 1 (bool).
Real RoundTo(Real value, DType dtype);
// The unit roundoff of the type that `dtype` is calculated in.
Real UnitRoundoff(DType dtype);
// The distance of neighbours around `value` in the type that `dtype` is calculated in.
Real ComputeUlp(Real value, DType dtype);

// For a sum of `terms` rounded products whose absolute values add up to `magnitude`. Order does not
// matter. With c = 4, the chance that a correct sum is outside is below 1e-3 in Higham's and Mary's
// model for independent roundings, which real ones stay below by far; for few terms it is capped by
// the certain bound (terms + 1) · magnitude.
Real SumError(int64_t terms, Real magnitude);

// The values of a tensor of any dtype, through the host.
absl::StatusOr<std::vector<Real>> ReadValues(const Tensor& tensor);

// "" if `actual` has the spec of `expected` and every element is within its bound, otherwise what
// is wrong: how many elements, and the first one with its bounds.
std::string Compare(const RefTensor& expected, const Tensor& actual);

// "" if the two have one spec and the same bits.
std::string CompareBits(const Tensor& expected, const Tensor& actual);

}  // namespace tandem::conformance

#endif  // TANDEM_TESTS_CONFORMANCE_REFERENCE_TENSOR_H_
