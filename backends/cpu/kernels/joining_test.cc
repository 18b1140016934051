#include "tandem/backends/cpu/kernels/joining.h"

#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"

namespace tandem::cpu_backend {
namespace {

TEST(JoiningTest, ConcatAlongEveryAxisAndDType) {
  KernelTester tester(DetectIsa());
  for (int d = 0; d < kNumDTypes; ++d) {
    const DType dtype = static_cast<DType>(d);
    for (int axis = 0; axis < 3; ++axis) {
      Shape result = {2, 3, 5};
      result[axis] = 0;
      std::vector<TestTensor> inputs;
      for (int64_t size : {3, 0, 7, 1}) {
        Shape shape = {2, 3, 5};
        shape[axis] = size;
        result[axis] += size;
        inputs.push_back(RandomTensor({dtype, shape}, 10 + static_cast<uint32_t>(size)));
      }
      const auto y = tester.Run("concat", {{"axis", axis - 3}}, inputs, {{dtype, result}});
      const int64_t inner = axis == 2 ? 1 : axis == 1 ? 5 : 15;
      const int64_t outer = axis == 0 ? 1 : axis == 1 ? 2 : 6;
      size_t at = 0;
      for (int64_t o = 0; o < outer; ++o) {
        for (const TestTensor& input : inputs) {
          const int64_t run = input.layout.spec.shape[axis] * inner;
          for (int64_t i = 0; i < run; ++i) ASSERT_EQ(y[0][at++], input.values[o * run + i]);
        }
      }
    }
  }
}

TEST(JoiningTest, StackMakesANewAxis) {
  KernelTester tester(DetectIsa());
  const TestTensor a = MakeTensor({DType::kI16, {2, 2}}, {1, 2, 3, 4});
  const TestTensor b = MakeTensor({DType::kI16, {2, 2}}, {5, 6, 7, 8});
  EXPECT_EQ(tester.Run("stack", {{"axis", 0}}, {a, b}, {{DType::kI16, {2, 2, 2}}})[0],
            (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(tester.Run("stack", {{"axis", 1}}, {a, b}, {{DType::kI16, {2, 2, 2}}})[0],
            (std::vector<double>{1, 2, 5, 6, 3, 4, 7, 8}));
  EXPECT_EQ(tester.Run("stack", {{"axis", -1}}, {a, b}, {{DType::kI16, {2, 2, 2}}})[0],
            (std::vector<double>{1, 5, 2, 6, 3, 7, 4, 8}));
}

// A dispatch takes 64 buffers; a concat takes any number.
TEST(JoiningTest, ManyInputs) {
  KernelTester tester(DetectIsa());
  std::vector<TestTensor> inputs;
  std::vector<double> want;
  for (int i = 0; i < 200; ++i) {
    inputs.push_back(MakeTensor({DType::kF32, {1}}, {static_cast<double>(i)}));
    want.push_back(i);
  }
  EXPECT_EQ(tester.Run("concat", {{"axis", 0}}, inputs, {{DType::kF32, {200}}})[0], want);
}

}  // namespace
}  // namespace tandem::cpu_backend
