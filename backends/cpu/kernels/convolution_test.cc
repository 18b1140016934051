#include "tandem/backends/cpu/kernels/convolution.h"

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"
#include "tandem/core/op/window.h"

namespace tandem::cpu_backend {
namespace {

using Ints = std::vector<int64_t>;

struct Case {
  Shape input;
  Shape weight;
  Ints strides = {1, 1};
  Ints padding = {0, 0};
  Ints dilation = {1, 1};
  int64_t groups = 1;
};

class ConvolutionTest : public testing::TestWithParam<Isa> {
 protected:
  KernelTester tester_{GetParam()};

  // A sum of products in f64, and of their magnitudes.
  struct Sums {
    explicit Sums(int64_t n) : value(n), magnitude(n), terms(n) {}
    void Add(int64_t at, double term) {
      value[at] += term;
      magnitude[at] += std::fabs(term);
      terms[at] += 1;
    }
    std::vector<double> value, magnitude, terms;
  };

  static void Compare(const Sums& want, const std::vector<double>& got, DType dtype,
                      const std::string& what) {
    const double u = ComputeRoundoff(dtype);
    ASSERT_EQ(want.value.size(), got.size());
    for (size_t i = 0; i < got.size(); ++i) {
      const double bound = 2 * u * std::sqrt(want.terms[i] + 1) * want.magnitude[i] +
                           1.01 * StorageRoundoff(dtype) * std::fabs(want.value[i]);
      ASSERT_LE(std::fabs(got[i] - want.value[i]), bound) << what << " element " << i;
    }
  }

  void Check(const Case& c, DType dtype = DType::kF32) {
    std::vector<AttributeInit> attrs = {{"strides", c.strides},
                                        {"padding", c.padding},
                                        {"dilation", c.dilation},
                                        {"groups", c.groups}};
    std::vector<AttributeDef> defs;
    for (const AttributeInit& a : attrs) {
      defs.push_back(AttributeDef::Optional(std::string(a.first), a.second, ""));
    }
    const AttributeSchema schema(defs);
    const auto geometry =
        Conv2dGeometry::Create(c.input, c.weight, AttributeMap::Create(schema, attrs).value());
    ASSERT_TRUE(geometry.ok()) << geometry.status();
    const Conv2dGeometry& g = *geometry;
    const Shape output = g.output_shape();
    const TestTensor x = RandomTensor({dtype, c.input}, 1);
    const TestTensor w = RandomTensor({dtype, c.weight}, 2);
    const TestTensor grad = RandomTensor({dtype, output}, 3);
    Sums y(output.num_elements()), dx(c.input.num_elements()), dw(c.weight.num_elements());
    const int64_t icg = g.group_in_channels(), ocg = g.group_out_channels();
    for (int64_t n = 0; n < g.batch; ++n) {
      for (int64_t oc = 0; oc < g.out_channels; ++oc) {
        for (int64_t oh = 0; oh < g.height.output; ++oh) {
          for (int64_t ow = 0; ow < g.width.output; ++ow) {
            const int64_t o =
                ((n * g.out_channels + oc) * g.height.output + oh) * g.width.output + ow;
            for (int64_t ic = 0; ic < icg; ++ic) {
              for (int64_t kh = 0; kh < g.height.kernel; ++kh) {
                for (int64_t kw = 0; kw < g.width.kernel; ++kw) {
                  const int64_t ih = g.height.Position(oh, kh), iw = g.width.Position(ow, kw);
                  if (ih < 0 || ih >= g.height.input || iw < 0 || iw >= g.width.input) continue;
                  const int64_t i =
                      ((n * g.in_channels + oc / ocg * icg + ic) * g.height.input + ih) *
                          g.width.input +
                      iw;
                  const int64_t k = ((oc * icg + ic) * g.height.kernel + kh) * g.width.kernel + kw;
                  y.Add(o, x.values[i] * w.values[k]);
                  dx.Add(i, grad.values[o] * w.values[k]);
                  dw.Add(k, grad.values[o] * x.values[i]);
                }
              }
            }
          }
        }
      }
    }
    const std::string what = c.input.ToString() + " " + c.weight.ToString();
    const auto got_y = tester_.Run("conv2d", attrs, {x, w}, {{dtype, output}});
    ASSERT_EQ(got_y.size(), 1);
    Compare(y, got_y[0], dtype, "conv2d " + what);
    std::vector<AttributeInit> input_attrs = attrs;
    input_attrs.push_back({"input_shape", Ints(c.input.begin(), c.input.end())});
    const auto got_dx =
        tester_.Run("conv2d_backward_input", input_attrs, {grad, w}, {{dtype, c.input}});
    ASSERT_EQ(got_dx.size(), 1);
    Compare(dx, got_dx[0], dtype, "conv2d_backward_input " + what);
    std::vector<AttributeInit> weight_attrs = attrs;
    weight_attrs.push_back({"weight_shape", Ints(c.weight.begin(), c.weight.end())});
    const auto got_dw =
        tester_.Run("conv2d_backward_weight", weight_attrs, {x, grad}, {{dtype, c.weight}});
    ASSERT_EQ(got_dw.size(), 1);
    Compare(dw, got_dw[0], dtype, "conv2d_backward_weight " + what);
  }
};

TEST_P(ConvolutionTest, LeNet) {
  for (int64_t batch : {1, 3, 16, 65}) {
    Check({{batch, 1, 28, 28}, {6, 1, 5, 5}});
    Check({{batch, 6, 12, 12}, {16, 6, 5, 5}});
  }
}

TEST_P(ConvolutionTest, SizesOfImageAndKernel) {
  for (int64_t size : {1, 7, 8, 17, 33}) {
    for (int64_t kernel : {1, 2, 3}) {
      if (kernel > size) continue;
      Check({{2, 3, size, size}, {5, 3, kernel, kernel}});
      Check({{2, 3, size, size}, {5, 3, kernel, 1}, {1, 1}, {1, 0}});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ConvolutionTest, StridesPaddingDilation) {
  for (const Ints& strides : {Ints{1, 1}, {2, 2}, {3, 1}, {1, 4}}) {
    for (const Ints& padding : {Ints{0, 0}, {1, 2}, {2, 0, 1, 3}, {5, 4, 0, 0}}) {
      for (const Ints& dilation : {Ints{1, 1}, {2, 3}, {3, 2}}) {
        Check({{2, 3, 11, 13}, {4, 3, 3, 3}, strides, padding, dilation});
        Check({{2, 2, 12, 9}, {3, 2, 2, 1}, strides, padding, dilation});
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(ConvolutionTest, PaddingBeyondTheKernel) {
  // Some inputs meet no output, and some outputs only padding.
  Check({{2, 2, 4, 4}, {3, 2, 1, 1}, {1, 1}, {2, 2}});
  Check({{2, 2, 4, 4}, {3, 2, 1, 1}, {3, 3}, {1, 1}});
  Check({{1, 2, 9, 9}, {3, 2, 2, 2}, {5, 4}, {0, 0}});
}

TEST_P(ConvolutionTest, StridesBeyondTheImage) {
  for (const int64_t stride : {int64_t{12}, int64_t{1000000000}, INT64_MAX}) {
    Check({{2, 3, 11, 13}, {4, 3, 3, 3}, {stride, stride}, {1, 2}});
    Check({{2, 2, 11, 9}, {3, 2, 2, 1}, {2, stride}, {5, 4}, {1, INT64_MAX}});
    if (HasFatalFailure()) return;
  }
}

TEST_P(ConvolutionTest, Groups) {
  Check({{2, 6, 9, 9}, {4, 3, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 2});
  Check({{2, 6, 9, 9}, {6, 1, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 6});  // depthwise
  Check({{2, 3, 9, 9}, {6, 1, 3, 3}, {1, 1}, {0, 0}, {1, 1}, 3});
}

TEST_P(ConvolutionTest, ManyChannels) {
  Check({{1, 40, 14, 14}, {35, 40, 3, 3}, {1, 1}, {1, 1}});
  Check({{9, 64, 7, 7}, {48, 64, 1, 1}});
  Check({{2, 16, 56, 56}, {15, 16, 3, 3}, {2, 2}, {1, 1}});
  // Weights that are packed.
  Check({{2, 80, 9, 9}, {20, 80, 3, 3}, {1, 1}, {1, 1}});
  Check({{2, 144, 6, 7}, {34, 72, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 2});
}

TEST_P(ConvolutionTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16}) {
    Check({{3, 4, 9, 9}, {5, 4, 3, 3}, {2, 1}, {1, 1}}, dtype);
  }
}

TEST_P(ConvolutionTest, NoImagesAndNoChannels) {
  Check({{0, 3, 5, 5}, {2, 3, 3, 3}});
  Check({{2, 3, 5, 5}, {0, 3, 3, 3}});
}

INSTANTIATE_TEST_SUITE_P(Isas, ConvolutionTest, testing::ValuesIn(TestedIsas()),
                         [](const auto& info) { return IsaTestName(info.param); });

}  // namespace
}  // namespace tandem::cpu_backend
