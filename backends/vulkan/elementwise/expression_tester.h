// Runs scalar expressions on a Vulkan device, for tests: operands with every bit known, guard bands
// behind the outputs, the reference and the CPU's kernels to compare with.
//
//   ExpressionTester tester("float64,int64");  // features that are switched off
//   if (!tester.available()) GTEST_SKIP() << tester.reason();
//   tester.Check(expr, {x, y}, {7, 5});
//
// The device runs under synchronization validation where the layer is installed; a message of it
// fails the test.
//
// Thread rules: one thread.
#ifndef TANDEM_BACKENDS_VULKAN_ELEMENTWISE_EXPRESSION_TESTER_H_
#define TANDEM_BACKENDS_VULKAN_ELEMENTWISE_EXPRESSION_TESTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/scalar_expr.h"
#include "tandem/core/op/scalar_reference.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::vulkan_backend {

// Elements as they lie in memory.
struct TestArray {
  TensorLayout layout;
  std::vector<std::byte> bytes;

  static TestArray Make(DType dtype, const std::vector<ScalarNumber>& values, Shape shape);
  // `count` elements of `bytes` each, element i with the bits that `bits` gives.
  static TestArray OfBits(DType dtype, int64_t count, const std::function<uint64_t(int64_t)>& bits);
  DType dtype() const { return layout.spec.dtype; }
  void Set(int64_t element, const ScalarNumber& value);
  ScalarNumber Get(int64_t element) const;
  // The element of this array, broadcast to `shape`, at the row-major position `i`.
  ScalarNumber At(const Shape& shape, int64_t i) const;
};

// Equal, or both NaN.
bool SameNumber(const ScalarNumber& a, const ScalarNumber& b);
// |got - want| in units of the last place of `want` (of the type's smallest normal number, if it is
// below); infinite if only one of them is finite.
double UlpsBetween(const ScalarNumber& got, const ScalarNumber& want);

class ExpressionTester {
 public:
  explicit ExpressionTester(absl::string_view disable = "");
  ~ExpressionTester();

  // False on a machine without a Vulkan driver; the reason says what is missing.
  bool available() const { return device_ != nullptr; }
  const std::string& reason() const { return reason_; }
  VulkanDevice& device() { return *device_; }

  // The outputs of the expression; empty, with a failed test, if something went wrong. `width` as in
  // PrepareExpression.
  std::vector<TestArray> Run(const ScalarExpr& expr, const std::vector<TestArray>& inputs,
                             const Shape& shape, int width = 0);
  // What the CPU makes of it.
  std::vector<TestArray> RunOnCpu(const ScalarExpr& expr, const std::vector<TestArray>& inputs,
                                  const Shape& shape);
  // The outputs of a kernel.
  std::vector<TestArray> RunKernel(const PreparedKernel& kernel,
                                   const std::vector<TestArray>& inputs,
                                   const std::vector<TensorSpec>& outputs);
  // Compares every element with the reference. `ulps` is the error that floats may have.
  void Check(const ScalarExpr& expr, const std::vector<TestArray>& inputs, const Shape& shape,
             double ulps = 0, int width = 0);

  // Values of a dtype with the hard ones among them.
  std::vector<ScalarNumber> Values(DType dtype, int64_t n);
  TestArray RandomArray(DType dtype, Shape shape);

 private:
  std::unique_ptr<Device> owned_;
  VulkanDevice* device_ = nullptr;
  std::string reason_;
  std::unique_ptr<Device> cpu_;
  std::mt19937_64 random_{12345};
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_ELEMENTWISE_EXPRESSION_TESTER_H_
