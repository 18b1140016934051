#include "tandem/backends/cpu/kernels/indexing.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"

namespace tandem::cpu_backend {
namespace {

class IndexingTest : public testing::Test {
 protected:
  KernelTester tester_{DetectIsa()};
};

TEST_F(IndexingTest, GatherClips) {
  const TestTensor x = MakeTensor({DType::kF32, {3, 2}}, {1, 2, 3, 4, 5, 6});
  for (DType dtype : {DType::kI8, DType::kI16, DType::kI32, DType::kI64}) {
    const TestTensor indices = MakeTensor({dtype, {2, 2}}, {2, 0, -5, 99});
    EXPECT_EQ(tester_.Run("gather", {{"axis", 0}}, {x, indices}, {{DType::kF32, {2, 2, 2}}})[0],
              (std::vector<double>{5, 6, 1, 2, 1, 2, 5, 6}));
  }
  EXPECT_EQ(tester_.Run("gather", {{"axis", -1}}, {x, MakeTensor({DType::kU8, {3}}, {1, 0, 200})},
                        {{DType::kF32, {3, 3}}})[0],
            (std::vector<double>{2, 1, 2, 4, 3, 4, 6, 5, 6}));
  EXPECT_EQ(tester_
                .Run("gather", {{"axis", 0}}, {x, MakeTensor({DType::kI64, {0}}, {})},
                     {{DType::kF32, {0, 2}}})[0]
                .size(),
            0);
}

TEST_F(IndexingTest, GatherOfEveryDType) {
  for (int d = 0; d < kNumDTypes; ++d) {
    const DType dtype = static_cast<DType>(d);
    const TestTensor x = RandomTensor({dtype, {2, 5, 3}}, 1);
    const auto y = tester_.Run("gather", {{"axis", 1}}, {x, MakeTensor({DType::kI64, {2}}, {4, 1})},
                               {{dtype, {2, 2, 3}}});
    for (int o = 0; o < 2; ++o) {
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(y[0][o * 6 + i], x.values[o * 15 + 12 + i]);
        EXPECT_EQ(y[0][o * 6 + 3 + i], x.values[o * 15 + 3 + i]);
      }
    }
  }
}

TEST_F(IndexingTest, GatherBackwardAddsInOrder) {
  for (DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kI32, DType::kI64}) {
    for (int64_t inner : {1, 3, 130}) {
      const int64_t outer = 3, size = 7, count = 500;
      const TestTensor grad = RandomTensor({dtype, {outer, count, inner}}, 1);
      TestTensor indices = RandomTensor({DType::kI32, {count}}, 2);
      std::vector<float> want(outer * size * inner);
      for (int64_t o = 0; o < outer; ++o) {
        for (int64_t i = 0; i < count; ++i) {
          const auto index = std::clamp<int64_t>(static_cast<int64_t>(indices.values[i]), 0, 6);
          for (int64_t j = 0; j < inner; ++j) {
            want[(o * size + index) * inner + j] +=
                static_cast<float>(grad.values[(o * count + i) * inner + j]);
          }
        }
      }
      const auto dx = tester_.Run("gather_backward", {{"axis", 1}, {"size", size}}, {grad, indices},
                                  {{dtype, {outer, size, inner}}});
      for (size_t i = 0; i < want.size(); ++i) {
        if (dtype == DType::kF64) {
          // The reference adds up to 500 terms of size 4 in f32.
          ASSERT_NEAR(dx[0][i], want[i], 500 * 0x1p-24 * 500 * 4);
        } else {
          ASSERT_EQ(dx[0][i], RoundTo(dtype, want[i])) << i;
        }
      }
    }
  }
}

TEST_F(IndexingTest, OneHot) {
  const TestTensor indices = MakeTensor({DType::kI32, {4}}, {0, 2, -1, 3});
  EXPECT_EQ(
      tester_.Run("one_hot", {{"depth", 3}, {"dtype", DType::kF16}, {"on", 2.5}, {"off", -1.0}},
                  {indices}, {{DType::kF16, {4, 3}}})[0],
      (std::vector<double>{2.5, -1, -1, -1, -1, 2.5, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(
      tester_.Run("one_hot", {{"depth", 2}, {"dtype", DType::kBool}, {"on", 1.0}, {"off", 0.0}},
                  {indices}, {{DType::kBool, {4, 2}}})[0],
      (std::vector<double>{1, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_F(IndexingTest, RefusesFloatingIndices) {
  EXPECT_FALSE(
      tester_.Supports("gather", {{"axis", 0}},
                       {RandomTensor({DType::kF32, {3}}, 1), RandomTensor({DType::kF32, {3}}, 1)},
                       {{DType::kF32, {3}}}));
}

}  // namespace
}  // namespace tandem::cpu_backend
