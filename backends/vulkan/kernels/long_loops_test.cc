// Loops of more iterations than software drivers carry out (loop_limit.h), in every family of kernels
// whose loops follow a size of a tensor.

#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/contraction/convolution.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul.h"
#include "tandem/backends/vulkan/kernels/indexing/indexing.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/pooling/pooling.h"
#include "tandem/backends/vulkan/kernels/reduction/normalization.h"
#include "tandem/backends/vulkan/kernels/reduction/reduction.h"
#include "tandem/backends/vulkan/kernels/reduction/softmax.h"

namespace tandem::vulkan_backend {
namespace {

using Ints = std::vector<int64_t>;

class LongLoopsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }

  // All `value` but the last, which a loop that stops early does not see.
  static TestTensor Constant(const Shape& shape, double value, double last) {
    std::vector<double> values(shape.num_elements(), value);
    values.back() = last;
    return MakeTensor({DType::kF32, shape}, std::move(values));
  }
  // Of mean 0 and variance 1 in every line of an even size along the axis before `inner`.
  static TestTensor Alternating(const Shape& shape, int64_t inner) {
    TestTensor x = Constant(shape, 1, 1);
    for (size_t i = 0; i < x.values.size(); ++i) {
      x.values[i] = static_cast<int64_t>(i) / inner % 2 == 0 ? 1 : -1;
    }
    return x;
  }
  static void ExpectAll(const std::vector<double>& values, double want, double bound) {
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], want, bound) << i;
  }
  double Reduced(const char* op, const TestTensor& x) {
    const auto y =
        tester_.Run(op, {{"axes", Ints{}}, {"keepdims", false}}, {x}, {{DType::kF32, {}}});
    return y.size() == 1 ? y[0][0] : std::nan("");
  }

  KernelTester tester_{{&RegisterConvolutionKernels, &RegisterIndexingKernels,
                        &RegisterMatmulKernels, &RegisterNormalizationKernels,
                        &RegisterPoolingKernels, &RegisterReductionKernels,
                        &RegisterSoftmaxKernels}};
};

TEST_F(LongLoopsTest, ReductionsOfOneRow) {
  const int64_t count = 9'000'000;
  EXPECT_EQ(Reduced("sum", Constant({count}, 1, 5)), count + 4);
  EXPECT_EQ(Reduced("prod", Constant({count}, 1, 5)), 5);
  EXPECT_EQ(Reduced("max", Constant({count}, 1, 5)), 5);
}

TEST_F(LongLoopsTest, ReductionsOfColumnsAndOfManyAxes) {
  // 33 columns have two lanes each on a software driver.
  const TestTensor x = Constant({600'000, 33}, 1, 5);
  const auto y =
      tester_.Run("sum", {{"axes", Ints{0}}, {"keepdims", false}}, {x}, {{DType::kF32, {33}}});
  ASSERT_EQ(y.size(), 1u);
  EXPECT_EQ(y[0][0], 600'000);
  EXPECT_EQ(y[0][32], 600'004);
  // Reduced axes that are not one, the position on each of which is a loop of its own.
  const TestTensor z = Constant({100, 2, 100, 2, 100, 2}, 1, 5);
  const auto w = tester_.Run("sum", {{"axes", Ints{0, 2, 4}}, {"keepdims", false}}, {z},
                             {{DType::kF32, {2, 2, 2}}});
  ASSERT_EQ(w.size(), 1u);
  EXPECT_EQ(w[0][0], 1'000'000);
  EXPECT_EQ(w[0][7], 1'000'004);
}

TEST_F(LongLoopsTest, ArgmaxOfRowsAndColumns) {
  const auto row = tester_.Run("argmax", {{"axis", 0}, {"keepdims", false}},
                               {Constant({600'000}, 1, 5)}, {{DType::kI64, {}}});
  ASSERT_EQ(row.size(), 1u);
  EXPECT_EQ(row[0][0], 599'999);
  const auto columns = tester_.Run("argmax", {{"axis", 0}, {"keepdims", false}},
                                   {Constant({140'000, 33}, 1, 5)}, {{DType::kI64, {33}}});
  ASSERT_EQ(columns.size(), 1u);
  EXPECT_EQ(columns[0][0], 0);
  EXPECT_EQ(columns[0][32], 139'999);
}

TEST_F(LongLoopsTest, Softmax) {
  for (const Shape& shape : {Shape({200'000, 1}), Shape({50'000, 33})}) {
    const auto y =
        tester_.Run("softmax", {{"axis", 0}}, {Constant(shape, 1, 1)}, {{DType::kF32, shape}});
    ASSERT_EQ(y.size(), 1u);
    const double want = 1 / static_cast<double>(shape[0]);
    ExpectAll(y[0], want, 1e-4 * want);
  }
}

TEST_F(LongLoopsTest, LayerNorm) {
  for (const int64_t inner : {1, 33}) {
    const int64_t size = inner == 1 ? 200'000 : 50'000;
    const Shape shape = {size, inner}, stat = {1, inner};
    const TestTensor x = Alternating(shape, inner);
    const auto y = tester_.Run("layer_norm", {{"axis", 0}, {"epsilon", 0.0}},
                               {x, Constant({size}, 1, 1), Constant({size}, 0, 0)},
                               {{DType::kF32, shape}, {DType::kF32, stat}, {DType::kF32, stat}});
    ASSERT_EQ(y.size(), 3u);
    ExpectAll(y[1], 0, 1e-4);
    ExpectAll(y[2], 1, 1e-4);
    for (size_t i = 0; i < x.values.size(); ++i) ASSERT_NEAR(y[0][i], x.values[i], 1e-3) << i;
  }
}

TEST_F(LongLoopsTest, BatchNorm) {
  const Shape shape = {1, 2, 1'200'000};
  const TensorSpec stat = {DType::kF32, {2}};
  const TestTensor x = Alternating(shape, 1), one = Constant({2}, 1, 1), zero = Constant({2}, 0, 0);
  const auto y = tester_.Run(
      "batch_norm", {{"axis", 1}, {"epsilon", 0.0}, {"momentum", 0.5}, {"training", true}},
      {x, one, zero, zero, one}, {{DType::kF32, shape}, stat, stat, stat, stat});
  ASSERT_EQ(y.size(), 5u);
  ExpectAll(y[3], 0, 1e-4);
  ExpectAll(y[4], 1, 1e-4);
}

TEST_F(LongLoopsTest, Matmul) {
  for (const int64_t n : {2, 64}) {
    const int64_t depth = n == 2 ? 1'200'000 : 70'000;
    const auto y = tester_.Run("matmul", {{"transpose_a", false}, {"transpose_b", true}},
                               {Constant({n, depth}, 1, 5), Constant({n, depth}, 1, 2)},
                               {{DType::kF32, {n, n}}});
    ASSERT_EQ(y.size(), 1u);
    EXPECT_EQ(y[0][0], depth) << tester_.description();
    EXPECT_EQ(y[0].back(), depth + 9) << tester_.description();
  }
}

TEST_F(LongLoopsTest, GradientOfAConvolutionsWeight) {
  const Shape x = {1, 64, 1, 70'000}, w = {64, 64, 1, 1};
  const auto dw = tester_.Run("conv2d_backward_weight",
                              {{"strides", Ints{1, 1}},
                               {"padding", Ints{0, 0}},
                               {"dilation", Ints{1, 1}},
                               {"groups", 1},
                               {"weight_shape", Ints(w.begin(), w.end())}},
                              {Constant(x, 1, 5), Constant(x, 1, 2)}, {{DType::kF32, w}});
  ASSERT_EQ(dw.size(), 1u);
  EXPECT_EQ(dw[0][0], 70'000) << tester_.description();
  EXPECT_EQ(dw[0].back(), 70'009) << tester_.description();
}

TEST_F(LongLoopsTest, GradientOfGather) {
  // One slice that all indices name, and more indices than one scan of their counts takes.
  for (const int64_t slices : {1, 200}) {
    const int64_t count = slices == 1 ? 200'000 : 2'200'000;
    std::vector<double> indices(count);
    for (int64_t i = 0; i < count; ++i) indices[i] = static_cast<double>(i % slices);
    const auto dx = tester_.Run(
        "gather_backward", {{"axis", 0}, {"size", slices + 1}},
        {Constant({count, 1}, 1, 5), MakeTensor({DType::kI32, {count}}, std::move(indices))},
        {{DType::kF32, {slices + 1, 1}}});
    ASSERT_EQ(dx.size(), 1u);
    const auto each = static_cast<double>(count / slices);
    for (int64_t i = 0; i < slices; ++i) {
      ASSERT_EQ(dx[0][i], each + (i == slices - 1 ? 4 : 0)) << slices << " " << i;
    }
    EXPECT_EQ(dx[0][slices], 0);
  }
}

TEST_F(LongLoopsTest, Pooling) {
  const std::vector<AttributeInit> max = {{"kernel", Ints{260, 260}},
                                          {"strides", Ints{260, 260}},
                                          {"padding", Ints{0, 0}},
                                          {"ceil_mode", false}};
  std::vector<AttributeInit> average = max;
  average.push_back({"count_include_pad", false});
  const TestTensor x = Constant({1, 1, 260, 260}, 1, 260 * 260 + 1);
  const TensorSpec y = {DType::kF32, {1, 1, 1, 1}};
  EXPECT_EQ(tester_.Run("max_pool2d", max, {x}, {y}), (std::vector<std::vector<double>>{{67601}}));
  EXPECT_EQ(tester_.Run("avg_pool2d", average, {x}, {y}), (std::vector<std::vector<double>>{{2}}));
  const auto dx = tester_.Run("max_pool2d_backward", max, {MakeTensor(y, {3}), x}, {x.layout.spec});
  ASSERT_EQ(dx.size(), 1u);
  EXPECT_EQ(dx[0].front(), 0);
  EXPECT_EQ(dx[0].back(), 3);
}

// What cannot be cut is refused.
TEST_F(LongLoopsTest, PoolingOfMoreIsAnError) {
  if (!tester_.device().capabilities().is_cpu) GTEST_SKIP() << "the driver's loops have no limit";
  const Ints once = {1, 1}, none = {0, 0};
  const auto prepare = [&](int64_t kernel, const char* op, const std::vector<TensorSpec>& inputs,
                           const TensorSpec& output, const Ints& input_shape) {
    std::vector<AttributeInit> attrs = {{"kernel", Ints{kernel, kernel}},
                                        {"strides", once},
                                        {"padding", none},
                                        {"ceil_mode", false},
                                        {"count_include_pad", false}};
    if (!input_shape.empty()) attrs.push_back({"input_shape", input_shape});
    return tester_.Prepare(op, attrs, inputs, {output});
  };
  EXPECT_TRUE(absl::IsResourceExhausted(prepare(
      2000, "avg_pool2d", {{DType::kF32, {1, 1, 2000, 2000}}}, {DType::kF32, {1, 1, 1, 1}}, {})));
  EXPECT_TRUE(absl::IsResourceExhausted(
      prepare(300, "avg_pool2d_backward", {{DType::kF32, {1, 1, 301, 301}}},
              {DType::kF32, {1, 1, 600, 600}}, {1, 1, 600, 600})));
}

}  // namespace
}  // namespace tandem::vulkan_backend
