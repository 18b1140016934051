#include "tandem/backends/vulkan/kernels/movement/joining.h"

#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

class JoiningTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }
  KernelTester tester_{{&RegisterJoiningKernels}, GetParam().restrict};
};

TEST_P(JoiningTest, ConcatAlongEveryAxisAndDType) {
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
      const auto y = tester_.Run("concat", {{"axis", axis - 3}}, inputs, {{dtype, result}});
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

TEST_P(JoiningTest, StackMakesANewAxis) {
  const TestTensor a = MakeTensor({DType::kI16, {2, 2}}, {1, 2, 3, 4});
  const TestTensor b = MakeTensor({DType::kI16, {2, 2}}, {5, 6, 7, 8});
  EXPECT_EQ(tester_.Run("stack", {{"axis", 0}}, {a, b}, {{DType::kI16, {2, 2, 2}}})[0],
            (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(tester_.Run("stack", {{"axis", 1}}, {a, b}, {{DType::kI16, {2, 2, 2}}})[0],
            (std::vector<double>{1, 2, 5, 6, 3, 4, 7, 8}));
  EXPECT_EQ(tester_.Run("stack", {{"axis", -1}}, {a, b}, {{DType::kI16, {2, 2, 2}}})[0],
            (std::vector<double>{1, 5, 2, 6, 3, 7, 4, 8}));
}

// A dispatch takes three inputs; a concat takes any number.
TEST_P(JoiningTest, ManyInputs) {
  std::vector<TestTensor> inputs;
  std::vector<double> want;
  for (int i = 0; i < 200; ++i) {
    inputs.push_back(MakeTensor({DType::kF32, {1}}, {static_cast<double>(i)}));
    want.push_back(i);
  }
  EXPECT_EQ(tester_.Run("concat", {{"axis", 0}}, inputs, {{DType::kF32, {200}}})[0], want);
}

// Rows of 16 bytes are moved as such.
TEST_P(JoiningTest, TakesWideUnits) {
  const TestTensor a = RandomTensor({DType::kF16, {3, 8}}, 1);
  const TestTensor b = RandomTensor({DType::kF16, {3, 16}}, 2);
  const auto y = tester_.Run("concat", {{"axis", 1}}, {a, b}, {{DType::kF16, {3, 24}}});
  EXPECT_EQ(tester_.description(), "join, 16-byte units");
  for (int i = 0; i < 72; ++i) {
    ASSERT_EQ(y[0][i],
              i % 24 < 8 ? a.values[i / 24 * 8 + i % 24] : b.values[i / 24 * 16 + i % 24 - 8]);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, JoiningTest, testing::ValuesIn(kMovementVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
