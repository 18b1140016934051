#include "tandem/backends/cpu/kernels/placing.h"

#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"

namespace tandem::cpu_backend {
namespace {

using Ints = std::vector<int64_t>;

TEST(PlacingTest, Pad) {
  KernelTester tester(DetectIsa());
  const TestTensor x = MakeTensor({DType::kF32, {2, 2}}, {1, 2, 3, 4});
  EXPECT_EQ(tester.Run("pad", {{"before", Ints{1, 0}}, {"after", Ints{0, 2}}, {"value", 9.0}}, {x},
                       {{DType::kF32, {3, 4}}})[0],
            (std::vector<double>{9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9}));
  const TestTensor scalar = MakeTensor({DType::kF64, {}}, {7});
  EXPECT_EQ(tester.Run("pad", {{"before", Ints{}}, {"after", Ints{}}, {"value", 0.0}}, {scalar},
                       {{DType::kF64, {}}})[0],
            (std::vector<double>{7}));
  const TestTensor none = MakeTensor({DType::kF32, {0, 2}}, {});
  EXPECT_EQ(tester.Run("pad", {{"before", Ints{1, 0}}, {"after", Ints{0, 1}}, {"value", 2.0}},
                       {none}, {{DType::kF32, {1, 3}}})[0],
            (std::vector<double>{2, 2, 2}));
}

// As the op cast converts.
TEST(PlacingTest, PadValueIsCast) {
  KernelTester tester(DetectIsa());
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
    const auto y = tester.Run("pad", {{"before", Ints{1}}, {"after", Ints{0}}, {"value", c.value}},
                              {MakeTensor({c.dtype, {1}}, {1})}, {{c.dtype, {2}}});
    EXPECT_EQ(y[0], (std::vector<double>{c.want, 1})) << DTypeName(c.dtype);
  }
}

TEST(PlacingTest, SliceBackward) {
  KernelTester tester(DetectIsa());
  for (DType dtype : {DType::kF32, DType::kF16, DType::kI8, DType::kI64}) {
    const TestTensor g = MakeTensor({dtype, {2, 3}}, {1, 2, 3, 4, 5, 6});
    // Rows 3 and 1, columns 4, 2, 0 of [4,5].
    EXPECT_EQ(tester.Run("slice_backward",
                         {{"input_shape", Ints{4, 5}},
                          {"begin", Ints{-1, 4}},
                          {"end", Ints{0, -9}},
                          {"strides", Ints{-2, -2}}},
                         {g}, {{dtype, {4, 5}}})[0],
              (std::vector<double>{0, 0, 0, 0, 0, 6, 0, 5, 0, 4, 0, 0, 0, 0, 0, 3, 0, 2, 0, 1}));
  }
  const TestTensor rows = RandomTensor({DType::kF32, {30, 100}}, 1);
  const auto dx = tester.Run(
      "slice_backward",
      {{"input_shape", Ints{100, 100}}, {"begin", Ints{5}}, {"end", Ints{35}}, {"strides", Ints{}}},
      {rows}, {{DType::kF32, {100, 100}}});
  for (int64_t i = 0; i < 10000; ++i) {
    const bool inside = i >= 500 && i < 3500;
    ASSERT_EQ(dx[0][i], inside ? rows.values[i - 500] : 0);
  }
}

}  // namespace
}  // namespace tandem::cpu_backend
