#include "tandem/backends/vulkan/kernels/pooling/pooling.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"
#include "tandem/core/op/window.h"

namespace tandem::vulkan_backend {
namespace {

using Ints = std::vector<int64_t>;

class PoolingTest : public LaneTest {
 protected:
  PoolingTest() : LaneTest(&RegisterPoolingKernels) {}

  void Check(const TestTensor& x, const Ints& kernel, const Ints& strides = {},
             const Ints& padding = {0, 0}, bool ceil_mode = false, bool count_include_pad = true) {
    const Shape& input = x.layout.spec.shape;
    const DType dtype = x.layout.spec.dtype;
    const std::vector<AttributeInit> max_attrs = {
        {"kernel", kernel}, {"strides", strides}, {"padding", padding}, {"ceil_mode", ceil_mode}};
    std::vector<AttributeInit> avg_attrs = max_attrs;
    avg_attrs.push_back({"count_include_pad", count_include_pad});
    std::vector<AttributeDef> defs;
    for (const AttributeInit& a : avg_attrs) {
      defs.push_back(AttributeDef::Optional(std::string(a.first), a.second, ""));
    }
    const AttributeSchema schema(defs);
    const auto geometry =
        Pool2dGeometry::Create(input, AttributeMap::Create(schema, avg_attrs).value());
    ASSERT_TRUE(geometry.ok()) << geometry.status();
    const Pool2dGeometry& g = *geometry;
    const Shape output = g.output_shape();
    const TestTensor grad = RandomTensor({dtype, output}, 9);
    const int64_t n = output.num_elements();
    std::vector<double> max(n), average(n), magnitude(n);
    std::vector<double> dmax(input.num_elements()), davg(input.num_elements());
    std::vector<double> davg_magnitude(input.num_elements());
    int64_t o = 0;
    for (int64_t plane = 0; plane < g.batch * g.channels; ++plane) {
      for (int64_t oh = 0; oh < g.height.output; ++oh) {
        for (int64_t ow = 0; ow < g.width.output; ++ow, ++o) {
          int64_t best = -1;
          for (int64_t h = g.height.Begin(oh); h < g.height.End(oh); ++h) {
            for (int64_t w = g.width.Begin(ow); w < g.width.End(ow); ++w) {
              const int64_t i = (plane * g.height.input + h) * g.width.input + w;
              const double v = x.values[i];
              if (best < 0 || v > x.values[best] ||
                  (std::isnan(v) && !std::isnan(x.values[best]))) {
                best = i;
              }
              average[o] += v;
              magnitude[o] += std::fabs(v);
              davg[i] += grad.values[o] / g.Divisor(oh, ow);
              davg_magnitude[i] += std::fabs(grad.values[o] / g.Divisor(oh, ow));
            }
          }
          max[o] = x.values[best];
          dmax[best] += grad.values[o];
          average[o] /= g.Divisor(oh, ow);
          magnitude[o] /= g.Divisor(oh, ow);
        }
      }
    }
    const double u = ComputeRoundoff(dtype);
    const double storage = StorageRoundoff(dtype);
    const double terms = static_cast<double>(kernel[0] * kernel[1]) + 1;
    const auto y = tester().Run("max_pool2d", max_attrs, {x}, {{dtype, output}});
    const auto dy = tester().Run("max_pool2d_backward", max_attrs, {grad, x}, {{dtype, input}});
    const auto a = tester().Run("avg_pool2d", avg_attrs, {x}, {{dtype, output}});
    std::vector<AttributeInit> backward_attrs = avg_attrs;
    backward_attrs.push_back({"input_shape", Ints(input.begin(), input.end())});
    const auto da = tester().Run("avg_pool2d_backward", backward_attrs, {grad}, {{dtype, input}});
    ASSERT_TRUE(y.size() == 1 && dy.size() == 1 && a.size() == 1 && da.size() == 1);
    for (int64_t i = 0; i < n; ++i) {
      if (std::isnan(max[i])) {
        EXPECT_TRUE(std::isnan(y[0][i]));
      } else {
        ASSERT_EQ(y[0][i], max[i]) << input.ToString() << " " << i;
        ASSERT_NEAR(a[0][i], average[i],
                    u * terms * magnitude[i] + 1.01 * storage * std::fabs(average[i]));
      }
    }
    for (int64_t i = 0; i < input.num_elements(); ++i) {
      // Windows that overlap add up to `terms` gradients.
      ASSERT_NEAR(dy[0][i], dmax[i], (u + storage) * terms * std::fabs(dmax[i]) + u * terms)
          << input.ToString() << " " << i;
      ASSERT_NEAR(da[0][i], davg[i],
                  2 * u * terms * davg_magnitude[i] + 1.01 * storage * std::fabs(davg[i]));
    }
  }
};

TEST_P(PoolingTest, TwoByTwo) {
  for (int64_t height : {2, 3, 24}) {
    for (int64_t width : {2, 3, 8, 9, 63, 64, 65}) {
      Check(RandomTensor({DType::kF32, {2, 3, height, width}}, 1), {2, 2});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(PoolingTest, Windows) {
  const TestTensor x = RandomTensor({DType::kF32, {2, 3, 13, 11}}, 1);
  for (bool ceil_mode : {false, true}) {
    for (bool count_include_pad : {false, true}) {
      Check(x, {3, 3}, {2, 2}, {1, 1}, ceil_mode, count_include_pad);
      Check(x, {3, 2}, {1, 1}, {2, 1, 0, 1}, ceil_mode, count_include_pad);
      Check(x, {2, 2}, {3, 4}, {0, 0}, ceil_mode, count_include_pad);
      Check(x, {2, 2}, {2, 2}, {0, 0}, ceil_mode, count_include_pad);
      Check(x, {13, 11}, {}, {0, 0}, ceil_mode, count_include_pad);
    }
  }
}

TEST_P(PoolingTest, TiesAndNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TestTensor x = MakeTensor({DType::kF32, {1, 1, 4, 4}},
                            {1, 1, 2, 3, 1, 1, 3, 3, nan, 5, 0, 1, nan, 9, nan, nan});
  Check(x, {2, 2});
  Check(x, {3, 3}, {1, 1});
}

TEST_P(PoolingTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16}) {
    Check(RandomTensor({dtype, {2, 3, 8, 18}}, 1), {2, 2});
    Check(RandomTensor({dtype, {2, 3, 8, 10}}, 1), {3, 3}, {3, 3});
  }
}

TEST_P(PoolingTest, NoImages) { Check(RandomTensor({DType::kF32, {0, 3, 8, 8}}, 1), {2, 2}); }

TEST_P(PoolingTest, TooLargeIsAnError) {
  const TensorSpec x = {DType::kF32, {1 << 16, 1 << 8, 16, 16}};
  const TensorSpec y = {DType::kF32, {1 << 16, 1 << 8, 8, 8}};
  EXPECT_EQ(tester()
                .Prepare("max_pool2d",
                         {{"kernel", Ints{2, 2}},
                          {"strides", Ints{}},
                          {"padding", Ints{0, 0}},
                          {"ceil_mode", false}},
                         {x}, {y})
                .code(),
            absl::StatusCode::kResourceExhausted);
}

INSTANTIATE_TEST_SUITE_P(Variants, PoolingTest, testing::ValuesIn(kLaneVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
