#include "tandem/backends/vulkan/kernels/movement/placing.h"

#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

using Ints = std::vector<int64_t>;

class PlacingTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }
  KernelTester tester_{{&RegisterPlacingKernels}, GetParam().restrict};
};

TEST_P(PlacingTest, Pad) {
  const TestTensor x = MakeTensor({DType::kF32, {2, 2}}, {1, 2, 3, 4});
  EXPECT_EQ(tester_.Run("pad", {{"before", Ints{1, 0}}, {"after", Ints{0, 2}}, {"value", 9.0}}, {x},
                        {{DType::kF32, {3, 4}}})[0],
            (std::vector<double>{9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9}));
  const TestTensor scalar = MakeTensor({DType::kF64, {}}, {7});
  EXPECT_EQ(tester_.Run("pad", {{"before", Ints{}}, {"after", Ints{}}, {"value", 0.0}}, {scalar},
                        {{DType::kF64, {}}})[0],
            (std::vector<double>{7}));
  const TestTensor none = MakeTensor({DType::kF32, {0, 2}}, {});
  EXPECT_EQ(tester_.Run("pad", {{"before", Ints{1, 0}}, {"after", Ints{0, 1}}, {"value", 2.0}},
                        {none}, {{DType::kF32, {1, 3}}})[0],
            (std::vector<double>{2, 2, 2}));
}

// As the op cast converts.
TEST_P(PlacingTest, PadValueIsCast) {
  const struct {
    DType dtype;
    double value, want;
  } cases[] = {{DType::kI8, 300.0, 44},
               {DType::kI32, 1e20, 2147483647},
               {DType::kI32, -1.9, -1},
               {DType::kU8, -1, 255},
               {DType::kBool, 0.5, 1},
               {DType::kF16, 1.0 / 3, RoundTo(DType::kF16, 1.0 / 3)},
               {DType::kI16, __builtin_nan(""), 0}};
  for (const auto& c : cases) {
    const auto y = tester_.Run("pad", {{"before", Ints{1}}, {"after", Ints{0}}, {"value", c.value}},
                               {MakeTensor({c.dtype, {1}}, {1})}, {{c.dtype, {2}}});
    EXPECT_EQ(y[0], (std::vector<double>{c.want, 1})) << DTypeName(c.dtype);
  }
}

TEST_P(PlacingTest, SliceBackward) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kI8, DType::kI64}) {
    const TestTensor g = MakeTensor({dtype, {2, 3}}, {1, 2, 3, 4, 5, 6});
    // Rows 3 and 1, columns 4, 2, 0 of [4,5].
    EXPECT_EQ(tester_.Run("slice_backward",
                          {{"input_shape", Ints{4, 5}},
                           {"begin", Ints{-1, 4}},
                           {"end", Ints{0, -9}},
                           {"strides", Ints{-2, -2}}},
                          {g}, {{dtype, {4, 5}}})[0],
              (std::vector<double>{0, 0, 0, 0, 0, 6, 0, 5, 0, 4, 0, 0, 0, 0, 0, 3, 0, 2, 0, 1}));
  }
  const TestTensor rows = RandomTensor({DType::kF32, {30, 100}}, 1);
  const auto dx = tester_.Run(
      "slice_backward",
      {{"input_shape", Ints{100, 100}}, {"begin", Ints{5}}, {"end", Ints{35}}, {"strides", Ints{}}},
      {rows}, {{DType::kF32, {100, 100}}});
  for (int64_t i = 0; i < 10000; ++i) {
    const bool inside = i >= 500 && i < 3500;
    ASSERT_EQ(dx[0][i], inside ? rows.values[i - 500] : 0);
  }
}

// Eight axes that do not merge, each with a step of its own.
TEST_P(PlacingTest, SliceBackwardOfEightAxes) {
  const Shape y = {2, 3, 2, 4, 3, 2, 5, 3};
  const Ints strides = {1, 2, -1, -3, 1, 1, 2, -2}, begin = {1, 0, 1, 3, 1, 0, 1, 2};
  const Ints end = {2, 3, -9, -9, 3, 1, 5, -9};
  const Shape x = {1, 2, 2, 2, 2, 1, 2, 2};
  const TestTensor g = RandomTensor({DType::kF32, x}, 3);
  std::vector<double> want(y.num_elements(), 0.0);
  for (int64_t i = 0; i < x.num_elements(); ++i) {
    int64_t rest = i, at = 0, scale = 1;
    for (int axis = 7; axis >= 0; --axis) {
      at += (begin[axis] + rest % x[axis] * strides[axis]) * scale;
      rest /= x[axis];
      scale *= y[axis];
    }
    want[at] = g.values[i];
  }
  EXPECT_EQ(tester_.Run("slice_backward",
                        {{"input_shape", Ints(y.begin(), y.end())},
                         {"begin", begin},
                         {"end", end},
                         {"strides", strides}},
                        {g}, {{DType::kF32, y}})[0],
            want);
}

// Images of bytes, padded by whole units of 16 of them.
TEST_P(PlacingTest, PadTakesWideUnits) {
  const TestTensor x = RandomTensor({DType::kU8, {2, 3, 32}}, 1);
  const auto y =
      tester_.Run("pad", {{"before", Ints{0, 1, 16}}, {"after", Ints{0, 0, 16}}, {"value", 7.0}},
                  {x}, {{DType::kU8, {2, 4, 64}}});
  EXPECT_EQ(tester_.description(), "place, 3 axes, 16-byte units");
  for (int64_t i = 0; i < 512; ++i) {
    const int64_t image = i / 256, row = i / 64 % 4 - 1, column = i % 64 - 16;
    const bool inside = row >= 0 && column >= 0 && column < 32;
    ASSERT_EQ(y[0][i], inside ? x.values[(image * 3 + row) * 32 + column] : 7) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, PlacingTest, testing::ValuesIn(kMovementVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
