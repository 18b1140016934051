#include "tandem/core/ops/testing/kernel_checks.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "gtest/gtest.h"
#include "tandem/core/op/window.h"

namespace tandem {
namespace {

// Means of up to some thousand normal numbers: 16 roundings of terms of size 4 bound their error.
double Slack(DType dtype) { return 64 * ComputeRoundoff(dtype); }

}  // namespace

void CheckPooling(const KernelRunner& run, const TestTensor& x, const PoolingAttributes& pooling) {
  const Shape& input = x.layout.spec.shape;
  const DType dtype = x.layout.spec.dtype;
  const std::vector<AttributeInit> max_attrs = {{"kernel", pooling.kernel},
                                                {"strides", pooling.strides},
                                                {"padding", pooling.padding},
                                                {"ceil_mode", pooling.ceil_mode}};
  std::vector<AttributeInit> avg_attrs = max_attrs;
  avg_attrs.push_back({"count_include_pad", pooling.count_include_pad});
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
            if (best < 0 || v > x.values[best] || (std::isnan(v) && !std::isnan(x.values[best]))) {
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
  const double terms = static_cast<double>(pooling.kernel[0] * pooling.kernel[1]) + 1;
  const auto y = run("max_pool2d", max_attrs, {x}, {{dtype, output}});
  const auto dy = run("max_pool2d_backward", max_attrs, {grad, x}, {{dtype, input}});
  const auto a = run("avg_pool2d", avg_attrs, {x}, {{dtype, output}});
  std::vector<AttributeInit> backward_attrs = avg_attrs;
  backward_attrs.push_back({"input_shape", std::vector<int64_t>(input.begin(), input.end())});
  const auto da = run("avg_pool2d_backward", backward_attrs, {grad}, {{dtype, input}});
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

void CheckBatchNorm(const KernelRunner& run, const Shape& shape, int axis, bool training,
                    DType dtype) {
  const int64_t channels = shape[axis];
  int64_t inner = 1;
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  TestTensor x = RandomTensor({dtype, shape}, 1);
  const TestTensor gamma = RandomTensor({dtype, {channels}}, 2);
  const TestTensor beta = RandomTensor({dtype, {channels}}, 3);
  const TestTensor mean = RandomTensor({dtype, {channels}}, 4);
  TestTensor variance = RandomTensor({dtype, {channels}}, 5);
  for (double& v : variance.values) v = RoundTo(dtype, std::fabs(v) + 0.5);
  const TensorSpec stat = {dtype, {channels}};
  const auto y = run("batch_norm",
                     {{"axis", axis}, {"epsilon", 1e-3}, {"momentum", 0.7}, {"training", training}},
                     {x, gamma, beta, mean, variance}, {{dtype, shape}, stat, stat, stat, stat});
  ASSERT_EQ(y.size(), 5);
  std::vector<double> m = mean.values, v = variance.values;
  const double n =
      static_cast<double>(x.values.size()) / static_cast<double>(std::max<int64_t>(channels, 1));
  if (training) {
    std::fill(m.begin(), m.end(), 0);
    std::fill(v.begin(), v.end(), 0);
    for (size_t i = 0; i < x.values.size(); ++i) m[i / inner % channels] += x.values[i] / n;
    for (size_t i = 0; i < x.values.size(); ++i) {
      const int64_t c = i / inner % channels;
      v[c] += (x.values[i] - m[c]) * (x.values[i] - m[c]) / n;
    }
  }
  const double slack = Slack(dtype) + 2 * StorageRoundoff(dtype);
  for (int64_t c = 0; c < channels; ++c) {
    const double unbiased = training ? v[c] * n / std::max(n - 1, 1.0) : v[c];
    const double keep = training ? 0.7 : 1;
    EXPECT_NEAR(y[1][c], keep * mean.values[c] + (1 - keep) * m[c], slack * 4);
    EXPECT_NEAR(y[2][c], keep * variance.values[c] + (1 - keep) * unbiased, slack * 4);
    EXPECT_NEAR(y[3][c], m[c], slack);
    const double rstd = 1 / std::sqrt(v[c] + 1e-3);
    EXPECT_NEAR(y[4][c], rstd, slack * rstd * std::max(1.0, rstd * rstd));
  }
  for (size_t i = 0; i < x.values.size(); ++i) {
    const int64_t c = i / inner % channels;
    const double rstd = 1 / std::sqrt(v[c] + 1e-3);
    const double h = (x.values[i] - m[c]) * rstd;
    const double want = h * gamma.values[c] + beta.values[c];
    const double error =
        std::fabs(gamma.values[c]) * rstd * (1 + std::fabs(h) * rstd) + std::fabs(want);
    ASSERT_NEAR(y[0][i], want, slack * error) << shape.ToString() << " " << i;
  }
}

void CheckLayerNorm(const KernelRunner& run, const Shape& shape, int axis, DType dtype) {
  const int64_t size = shape[axis];
  int64_t inner = 1;
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  const TestTensor x = RandomTensor({dtype, shape}, 1);
  const TestTensor gamma = RandomTensor({dtype, {size}}, 2);
  const TestTensor beta = RandomTensor({dtype, {size}}, 3);
  Shape stat = shape;
  stat[axis] = 1;
  const auto y = run("layer_norm", {{"axis", axis}, {"epsilon", 1e-3}}, {x, gamma, beta},
                     {{dtype, shape}, {dtype, stat}, {dtype, stat}});
  ASSERT_EQ(y.size(), 3);
  const double slack = Slack(dtype) + 2 * StorageRoundoff(dtype);
  for (int64_t line = 0; line < stat.num_elements(); ++line) {
    const int64_t first = line / inner * size * inner + line % inner;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < size; ++i) mean += x.values[first + i * inner] / size;
    for (int64_t i = 0; i < size; ++i) {
      variance += std::pow(x.values[first + i * inner] - mean, 2) / size;
    }
    const double rstd = 1 / std::sqrt(variance + 1e-3);
    EXPECT_NEAR(y[1][line], mean, slack);
    EXPECT_NEAR(y[2][line], rstd, slack * rstd * std::max(1.0, rstd * rstd));
    for (int64_t i = 0; i < size; ++i) {
      const double h = (x.values[first + i * inner] - mean) * rstd;
      const double want = h * gamma.values[i] + beta.values[i];
      const double error =
          std::fabs(gamma.values[i]) * rstd * (1 + std::fabs(h) * rstd) + std::fabs(want);
      ASSERT_NEAR(y[0][first + i * inner], want, slack * error) << shape.ToString();
    }
  }
}

}  // namespace tandem
