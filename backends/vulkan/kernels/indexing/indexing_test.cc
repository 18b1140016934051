#include "tandem/backends/vulkan/kernels/indexing/indexing.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/indexing/index_sort.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

class IndexingTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }
  KernelTester tester_{{&RegisterIndexingKernels}, GetParam().restrict};
};

TEST_P(IndexingTest, GatherClips) {
  const TestTensor x = MakeTensor({DType::kF32, {3, 2}}, {1, 2, 3, 4, 5, 6});
  for (DType dtype : {DType::kI8, DType::kI16, DType::kI32, DType::kI64}) {
    const TestTensor indices = MakeTensor({dtype, {2, 2}}, {2, 0, -5, 99});
    EXPECT_EQ(tester_.Run("gather", {{"axis", 0}}, {x, indices}, {{DType::kF32, {2, 2, 2}}})[0],
              (std::vector<double>{5, 6, 1, 2, 1, 2, 5, 6}))
        << DTypeName(dtype);
  }
  EXPECT_EQ(tester_.Run("gather", {{"axis", -1}}, {x, MakeTensor({DType::kU8, {3}}, {1, 0, 200})},
                        {{DType::kF32, {3, 3}}})[0],
            (std::vector<double>{2, 1, 2, 4, 3, 4, 6, 5, 6}));
}

// Both words of an index count: 2^32 is not 0, and -2^32 not either.
TEST_P(IndexingTest, GatherClipsWideIndices) {
  const TestTensor x = MakeTensor({DType::kI32, {4}}, {10, 11, 12, 13});
  const TestTensor indices = MakeTensor(
      {DType::kI64, {8}}, {0x1p32, -0x1p32, 0x1p32 + 1, 0x1p31, 0x1p32 - 1, 3, -1, -0x1p63});
  EXPECT_EQ(tester_.Run("gather", {{"axis", 0}}, {x, indices}, {{DType::kI32, {8}}})[0],
            (std::vector<double>{13, 10, 13, 13, 13, 13, 10, 10}));
}

TEST_P(IndexingTest, GatherOfEveryDTypeAndRun) {
  for (int d = 0; d < kNumDTypes; ++d) {
    const DType dtype = static_cast<DType>(d);
    for (int64_t inner : {1, 2, 3, 4, 6, 8, 16, 24}) {
      const TestTensor x = RandomTensor({dtype, {2, 5, inner}}, 1);
      const auto y =
          tester_.Run("gather", {{"axis", 1}}, {x, MakeTensor({DType::kI64, {2}}, {4, 1})},
                      {{dtype, {2, 2, inner}}});
      for (int64_t o = 0; o < 2; ++o) {
        for (int64_t i = 0; i < inner; ++i) {
          ASSERT_EQ(y[0][o * 2 * inner + i], x.values[(o * 5 + 4) * inner + i]);
          ASSERT_EQ(y[0][(o * 2 + 1) * inner + i], x.values[(o * 5 + 1) * inner + i]);
        }
      }
    }
  }
}

// A run of 16 bytes is moved as such, also where single elements could not be.
TEST_P(IndexingTest, GatherTakesWideUnits) {
  const TestTensor x = RandomTensor({DType::kF16, {3, 8}}, 1);
  (void)tester_.Run("gather", {{"axis", 0}}, {x, MakeTensor({DType::kI32, {1}}, {2})},
                    {{DType::kF16, {1, 8}}});
  EXPECT_EQ(tester_.description(), "gather, 16-byte units");
}

void CheckGatherBackward(KernelTester& tester, DType dtype, int64_t outer, int64_t size,
                         int64_t count, int64_t inner, DType index_dtype) {
  SCOPED_TRACE(testing::Message() << DTypeName(dtype) << " " << outer << " " << size << " " << count
                                  << " " << inner);
  if (dtype == DType::kF64 && !tester.device().capabilities().float64) return;
  const TestTensor grad = RandomTensor({dtype, {outer, count, inner}}, 1);
  TestTensor indices = RandomTensor({DType::kI32, {count}}, 2);
  for (int64_t i = 0; i < count; ++i) {
    // Some slices often, some never; a few indices out of range.
    indices.values[i] = static_cast<double>((i * i * 7 + i) % (size + size / 8 + 2) - 1);
  }
  indices.layout.spec.dtype = index_dtype;
  std::vector<float> want(outer * size * inner);
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < count; ++i) {
      const auto index = std::clamp<int64_t>(static_cast<int64_t>(indices.values[i]), 0, size - 1);
      for (int64_t j = 0; j < inner; ++j) {
        want[(o * size + index) * inner + j] +=
            static_cast<float>(grad.values[(o * count + i) * inner + j]);
      }
    }
  }
  const auto dx = tester.Run("gather_backward", {{"axis", 1}, {"size", size}}, {grad, indices},
                             {{dtype, {outer, size, inner}}});
  ASSERT_EQ(dx.size(), 1u);
  for (size_t i = 0; i < want.size(); ++i) {
    if (dtype == DType::kF64) {
      // The reference adds up to `count` terms of size 5 in f32.
      ASSERT_NEAR(dx[0][i], want[i], count * 0x1p-24 * count * 5);
    } else if (dtype == DType::kBool) {
      ASSERT_EQ(dx[0][i], want[i] != 0) << i;
    } else {
      ASSERT_EQ(dx[0][i], RoundTo(dtype, want[i])) << i;
    }
  }
}

TEST_P(IndexingTest, GatherBackwardAddsInOrder) {
  for (DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI8, DType::kU8,
                      DType::kI16, DType::kI32, DType::kI64, DType::kBool}) {
    CheckGatherBackward(tester_, dtype, 2, 7, 60, 3, DType::kI32);
  }
  CheckGatherBackward(tester_, DType::kF32, 1, 1, 5, 1, DType::kI64);
  CheckGatherBackward(tester_, DType::kF32, 3, 50, 1, 130, DType::kI64);
}

// One, two and three passes of the radix sort; counts at the edges of its blocks.
TEST_P(IndexingTest, GatherBackwardSortsManyIndices) {
  CheckGatherBackward(tester_, DType::kF32, 1, 9, kMostRanked, 2, DType::kI64);
  EXPECT_EQ(tester_.description(), "gather_backward, ranked indices");
  CheckGatherBackward(tester_, DType::kF32, 1, 9, kMostRanked + 1, 2, DType::kI64);
  EXPECT_EQ(tester_.description(), "gather_backward, radix-sorted indices");
  CheckGatherBackward(tester_, DType::kF32, 1, 1, 2560, 1, DType::kI32);
  CheckGatherBackward(tester_, DType::kF32, 2, 256, 2817, 1, DType::kI32);
  CheckGatherBackward(tester_, DType::kF32, 1, 257, 5000, 3, DType::kI32);
  CheckGatherBackward(tester_, DType::kF32, 1, 70000, 9000, 1, DType::kI64);
}

TEST_P(IndexingTest, GatherBackwardWrapsWideIntegers) {
  const TestTensor grad = MakeTensor({DType::kI64, {3}}, {0x1p32 - 1, 1, -0x1p40});
  const TestTensor indices = MakeTensor({DType::kI32, {3}}, {1, 1, 0});
  EXPECT_EQ(tester_.Run("gather_backward", {{"axis", 0}, {"size", 2}}, {grad, indices},
                        {{DType::kI64, {2}}})[0],
            (std::vector<double>{-0x1p40, 0x1p32}));
}

TEST_P(IndexingTest, GatherBackwardOfNothingIsZero) {
  EXPECT_EQ(tester_.Run("gather_backward", {{"axis", 0}, {"size", 3}},
                        {MakeTensor({DType::kF16, {0, 1}}, {}), MakeTensor({DType::kI32, {0}}, {})},
                        {{DType::kF16, {3, 1}}})[0],
            (std::vector<double>{0, 0, 0}));
}

TEST_P(IndexingTest, OneHot) {
  const TestTensor indices = MakeTensor({DType::kI32, {4}}, {0, 2, -1, 3});
  for (DType dtype : {DType::kF16, DType::kBF16, DType::kF32, DType::kF64}) {
    EXPECT_EQ(tester_.Run("one_hot", {{"depth", 3}, {"dtype", dtype}, {"on", 2.5}, {"off", -1.0}},
                          {indices}, {{dtype, {4, 3}}})[0],
              (std::vector<double>{2.5, -1, -1, -1, -1, 2.5, -1, -1, -1, -1, -1, -1}));
  }
  for (DType dtype : {DType::kI8, DType::kI16, DType::kI32, DType::kI64}) {
    EXPECT_EQ(tester_.Run("one_hot", {{"depth", 2}, {"dtype", dtype}, {"on", 3.9}, {"off", -2.0}},
                          {MakeTensor({DType::kI64, {3}}, {1, 0x1p32, 0})}, {{dtype, {3, 2}}})[0],
              (std::vector<double>{-2, 3, -2, -2, 3, -2}))
        << DTypeName(dtype);
  }
  EXPECT_EQ(
      tester_.Run("one_hot", {{"depth", 2}, {"dtype", DType::kBool}, {"on", 1.0}, {"off", 0.0}},
                  {indices}, {{DType::kBool, {4, 2}}})[0],
      (std::vector<double>{1, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_P(IndexingTest, RefusesWhatItCannotDo) {
  EXPECT_TRUE(absl::IsNotFound(tester_.Prepare(
      "gather", {{"axis", 0}}, {{DType::kF32, {3}}, {DType::kF32, {3}}}, {{DType::kF32, {3}}})));
  const absl::Status status = tester_.Prepare(
      "gather", {{"axis", 0}}, {{DType::kF32, {int64_t{1} << 31, 1}}, {DType::kI32, {3}}},
      {{DType::kF32, {3, 1}}});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

INSTANTIATE_TEST_SUITE_P(Devices, IndexingTest, testing::ValuesIn(kMovementVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
