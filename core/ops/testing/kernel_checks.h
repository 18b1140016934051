// Whether kernels of pooling and normalization are right, on any backend: their results against sums in
// double precision, within bounds on the roundoff of the dtype.
//
//   CheckPooling([&](auto&&... request) { return tester.Run(request...); },
//                RandomTensor({DType::kF32, {2, 3, 13, 11}}, 1), {.kernel = {3, 3}});
//
// A result that is wrong fails the test. Thread rules: one thread.
#ifndef TANDEM_CORE_OPS_TESTING_KERNEL_CHECKS_H_
#define TANDEM_CORE_OPS_TESTING_KERNEL_CHECKS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/ops/testing/test_tensor.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

// Runs the kernel of an op on inputs: the values of its outputs, empty if that failed.
using KernelRunner = std::function<std::vector<std::vector<double>>(
    absl::string_view op, const std::vector<AttributeInit>& attrs,
    const std::vector<TestTensor>& inputs, const std::vector<TensorSpec>& outputs)>;

// The attributes of max_pool2d and avg_pool2d.
struct PoolingAttributes {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides = {};
  std::vector<int64_t> padding = {0, 0};
  bool ceil_mode = false;
  bool count_include_pad = true;
};

// max_pool2d, avg_pool2d and their gradients. `x`: [batch, channels, height, width].
void CheckPooling(const KernelRunner& run, const TestTensor& x, const PoolingAttributes& pooling);

// batch_norm of random values, with the running statistics.
void CheckBatchNorm(const KernelRunner& run, const Shape& shape, int axis, bool training,
                    DType dtype = DType::kF32);

// layer_norm of random values.
void CheckLayerNorm(const KernelRunner& run, const Shape& shape, int axis,
                    DType dtype = DType::kF32);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_TESTING_KERNEL_CHECKS_H_
