// Tensors as the tests of kernels give them, on every backend: values, and how they lie in memory.
//
//   const TestTensor x = RandomTensor({DType::kF16, {3, 7}}, /*seed=*/1);
//   ASSERT_NEAR(y[0], expected, ComputeRoundoff(x.dtype()) * terms);
//
// Thread rules: value types, pure functions.
#ifndef TANDEM_CORE_OPS_TESTING_TEST_TENSOR_H_
#define TANDEM_CORE_OPS_TESTING_TEST_TENSOR_H_

#include <cstdint>
#include <vector>

#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

// Values (row-major, exact in the dtype) and how they shall lie in memory.
struct TestTensor {
  TensorLayout layout;
  std::vector<double> values;

  DType dtype() const { return layout.spec.dtype; }
  const Shape& shape() const { return layout.spec.shape; }
};

TestTensor MakeTensor(const TensorSpec& spec, std::vector<double> values);
// Normally distributed; integers from -9 to 9 (0 to 9 if unsigned, 0 and 1 if bool).
TestTensor RandomTensor(const TensorSpec& spec, uint32_t seed);

// `value` as the nearest element of `dtype`.
double RoundTo(DType dtype, double value);

// The unit roundoff of `dtype` (0 for integers), and of the dtype that it is computed in.
double StorageRoundoff(DType dtype);
double ComputeRoundoff(DType dtype);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_TESTING_TEST_TENSOR_H_
