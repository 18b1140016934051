#include "tandem/backends/vulkan/kernels/contraction/convolution.h"

#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/contraction/contraction_testing.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"
#include "tandem/core/op/window.h"

namespace tandem::vulkan_backend {
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

// With room for the rounding of every product and sum: c u sqrt(terms) times the sum of the terms'
// magnitudes, and the rounding of the result.
void Compare(const Sums& want, const std::vector<std::vector<double>>& got, DType dtype,
             const std::string& what) {
  ASSERT_EQ(got.size(), 1u);
  ASSERT_EQ(want.value.size(), got[0].size());
  const double u = ComputeRoundoff(dtype);
  for (size_t i = 0; i < got[0].size(); ++i) {
    const double bound = 2 * u * std::sqrt(want.terms[i] + 1) * want.magnitude[i] +
                         1.01 * StorageRoundoff(dtype) * std::fabs(want.value[i]);
    ASSERT_LE(std::fabs(got[0][i] - want.value[i]), bound) << what << " element " << i;
  }
}

// The case's three ops: what goes in, what has to come out.
struct Problem {
  Problem(const Case& c, DType dtype)
      : dtype(dtype),
        attrs({{"strides", c.strides},
               {"padding", c.padding},
               {"dilation", c.dilation},
               {"groups", c.groups}}),
        geometry(GeometryOf(c, attrs)),
        x(RandomTensor({dtype, c.input}, 1)),
        w(RandomTensor({dtype, c.weight}, 2)),
        grad(RandomTensor({dtype, geometry.output_shape()}, 3)),
        y_sums(geometry.output_shape().num_elements()),
        dx_sums(c.input.num_elements()),
        dw_sums(c.weight.num_elements()),
        text(c.input.ToString() + " " + c.weight.ToString()) {
    input_attrs = weight_attrs = attrs;
    input_attrs.push_back({"input_shape", Ints(c.input.begin(), c.input.end())});
    weight_attrs.push_back({"weight_shape", Ints(c.weight.begin(), c.weight.end())});
    Reference();
  }

  static Conv2dGeometry GeometryOf(const Case& c, const std::vector<AttributeInit>& attrs) {
    std::vector<AttributeDef> defs;
    for (const AttributeInit& a : attrs) {
      defs.push_back(AttributeDef::Optional(std::string(a.first), a.second, ""));
    }
    const AttributeSchema schema(defs);
    return Conv2dGeometry::Create(c.input, c.weight, AttributeMap::Create(schema, attrs).value())
        .value();
  }

  void Reference() {
    const Conv2dGeometry& g = geometry;
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
                  y_sums.Add(o, x.values[i] * w.values[k]);
                  dx_sums.Add(i, grad.values[o] * w.values[k]);
                  dw_sums.Add(k, grad.values[o] * x.values[i]);
                }
              }
            }
          }
        }
      }
    }
  }

  DType dtype;
  std::vector<AttributeInit> attrs, input_attrs, weight_attrs;
  Conv2dGeometry geometry;
  TestTensor x, w, grad;
  Sums y_sums, dx_sums, dw_sums;
  std::string text;
};

void CheckForward(KernelTester& tester, const Problem& p) {
  Compare(p.y_sums, tester.Run("conv2d", p.attrs, {p.x, p.w}, {p.grad.layout.spec}), p.dtype,
          p.text + " " + tester.description());
}
void CheckBackwardInput(KernelTester& tester, const Problem& p) {
  Compare(p.dx_sums,
          tester.Run("conv2d_backward_input", p.input_attrs, {p.grad, p.w}, {p.x.layout.spec}),
          p.dtype, p.text + " " + tester.description());
}
void CheckBackwardWeight(KernelTester& tester, const Problem& p) {
  Compare(p.dw_sums,
          tester.Run("conv2d_backward_weight", p.weight_attrs, {p.x, p.grad}, {p.w.layout.spec}),
          p.dtype, p.text + " " + tester.description());
}

class ConvolutionTest : public LaneTest {
 protected:
  ConvolutionTest() : LaneTest(&RegisterConvolutionKernels) {}

  void Check(const Case& c, DType dtype = DType::kF32) {
    const Problem p(c, dtype);
    CheckForward(tester(), p);
    CheckBackwardInput(tester(), p);
    CheckBackwardWeight(tester(), p);
  }
};

TEST_P(ConvolutionTest, LeNet) {
  Check({{3, 1, 28, 28}, {6, 1, 5, 5}});
  Check({{3, 6, 12, 12}, {16, 6, 5, 5}});
}

TEST_P(ConvolutionTest, SizesOfImageAndKernel) {
  for (int64_t size : {1, 7, 17}) {
    for (int64_t kernel : {1, 3}) {
      if (kernel > size) continue;
      Check({{2, 3, size, size}, {5, 3, kernel, kernel}});
      Check({{2, 3, size, size}, {5, 3, kernel, 1}, {1, 1}, {1, 0}});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ConvolutionTest, StridesPaddingDilation) {
  for (const Ints& strides : {Ints{1, 1}, {2, 2}, {3, 1}, {1, 4}}) {
    for (const Ints& padding : {Ints{0, 0}, {2, 0, 1, 3}, {5, 4, 0, 0}}) {
      for (const Ints& dilation : {Ints{1, 1}, {2, 3}, {3, 2}}) {
        Check({{2, 3, 11, 13}, {4, 3, 3, 3}, strides, padding, dilation});
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
  for (const int64_t stride : {int64_t{12}, INT64_MAX}) {
    Check({{2, 3, 11, 13}, {4, 3, 3, 3}, {stride, stride}, {1, 2}});
    Check({{2, 2, 11, 9}, {3, 2, 2, 1}, {2, stride}, {5, 4}, {1, INT64_MAX}});
    if (HasFatalFailure()) return;
  }
}

TEST_P(ConvolutionTest, Groups) {
  Check({{2, 6, 9, 9}, {4, 3, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 2});
  Check({{2, 6, 9, 9}, {6, 1, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 6});  // depthwise
  Check({{2, 3, 9, 9}, {6, 1, 3, 3}, {1, 1}, {0, 0}, {1, 1}, 3});
  Check({{2, 8, 9, 17}, {8, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 8});
}

TEST_P(ConvolutionTest, ManyChannels) {
  Check({{1, 20, 14, 14}, {35, 20, 3, 3}, {1, 1}, {1, 1}});
  Check({{9, 64, 7, 7}, {48, 64, 1, 1}});
}

TEST_P(ConvolutionTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16}) {
    Check({{3, 4, 9, 9}, {5, 4, 3, 3}, {2, 1}, {1, 1}}, dtype);
    Check({{3, 4, 9, 9}, {5, 4, 1, 1}, {2, 2}}, dtype);  // a gradient with holes
  }
}

TEST_P(ConvolutionTest, NoImagesAndNoChannels) {
  Check({{0, 3, 5, 5}, {2, 3, 3, 3}});
  Check({{2, 3, 5, 5}, {0, 3, 3, 3}});
  Check({{2, 0, 5, 5}, {4, 0, 3, 3}});
}

INSTANTIATE_TEST_SUITE_P(Variants, ConvolutionTest, testing::ValuesIn(kContractionVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

// What the kernels of a tester are prepared with.
ConvolutionOptions forced_options;
int forced_plan = -1;    // of ConvolutionPlans
bool few_plans = false;  // one of each method, and tiles in parts: drivers on a CPU compile slowly

absl::StatusOr<Ref<const PreparedKernel>> PrepareForced(const KernelRequest& request) {
  ConvolutionOptions options = forced_options;
  if (forced_plan >= 0) {
    auto plans = ConvolutionPlans(request);
    if (!plans.ok()) return plans.status();
    if (few_plans) {
      std::erase_if(*plans, [](const ContractionPlan& plan) {
        return plan.thread_rows * plan.thread_columns > 8 ||
               (plan.parts > 1 && plan.method != ContractionPlan::Method::kTile);
      });
    }
    if (forced_plan >= static_cast<int>(plans->size())) return absl::OutOfRangeError("no plan");
    options.plan = (*plans)[forced_plan];
  }
  return PrepareConvolution(request, options);
}

absl::Status RegisterForced(KernelRegistry* registry) {
  for (const char* op : {"conv2d", "conv2d_backward_input", "conv2d_backward_weight"}) {
    const absl::Status status =
        registry->Register(VulkanKernelDef(op, "forced", {}, &PrepareForced));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Every plan, whether it is ever chosen or not.
class ConvolutionPlansTest : public testing::Test {
 protected:
  ConvolutionPlansTest() : tester_({&RegisterForced}) {}
  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }
  void TearDown() override {
    forced_plan = -1;
    few_plans = false;
    forced_options = ConvolutionOptions();
  }

  using CheckFunction = void (*)(KernelTester&, const Problem&);

  void ForPlans(const Problem& p, const std::string& op, CheckFunction check,
                const std::vector<AttributeInit>& attrs, const std::vector<TensorSpec>& inputs,
                const TensorSpec& output) {
    for (forced_plan = 0;; ++forced_plan) {
      const absl::Status status = tester_.Prepare(op, attrs, inputs, {output});
      if (absl::IsOutOfRange(status)) break;
      ASSERT_TRUE(status.ok()) << status;
      check(tester_, p);
      if (HasFailure()) return;
      descriptions_.insert(tester_.description());
    }
    EXPECT_GE(forced_plan, few_plans ? 5 : 10);
  }

  void CheckAll(const Case& c, DType dtype = DType::kF32) {
    const Problem p(c, dtype);
    const TensorSpec &x = p.x.layout.spec, &w = p.w.layout.spec, &y = p.grad.layout.spec;
    ForPlans(p, "conv2d", &CheckForward, p.attrs, {x, w}, y);
    ForPlans(p, "conv2d_backward_input", &CheckBackwardInput, p.input_attrs, {y, w}, x);
    ForPlans(p, "conv2d_backward_weight", &CheckBackwardWeight, p.weight_attrs, {x, y}, w);
  }

  KernelTester tester_;
  std::set<std::string> descriptions_;
};

TEST_F(ConvolutionPlansTest, StrideOne) {
  CheckAll({{2, 16, 7, 9}, {6, 8, 3, 2}, {1, 1}, {1, 2}, {2, 1}, 2});
  EXPECT_TRUE(descriptions_.contains("conv2d tile 64x64x16, 3 parts"));
  EXPECT_TRUE(descriptions_.contains("conv2d_backward_weight dot 1x4, 3 parts"));
}

TEST_F(ConvolutionPlansTest, Strides) {
  few_plans = true;
  CheckAll({{2, 5, 10, 9}, {7, 5, 3, 2}, {2, 3}, {1, 0}});
  EXPECT_TRUE(descriptions_.contains("conv2d_backward_input tile 32x32x16, 4 phases"));
}

TEST_F(ConvolutionPlansTest, WholeTiles) {
  few_plans = true;
  // 32 rows, 64 columns, sums of 32.
  CheckAll({{1, 32, 8, 8}, {32, 32, 1, 1}});
  for (const char* op : {"conv2d", "conv2d_backward_input", "conv2d_backward_weight"}) {
    const std::string tile = std::string(op) + " tile 32x32x16";
    EXPECT_TRUE(descriptions_.contains(tile + ", unchecked"));
    EXPECT_TRUE(descriptions_.contains(tile + ", left by four, right by four, unchecked"));
  }
}

TEST_F(ConvolutionPlansTest, DTypes) {
  few_plans = true;
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16}) {
    CheckAll({{2, 4, 6, 6}, {5, 4, 3, 3}, {1, 1}, {1, 1}}, dtype);
    // Four elements a fetch, in every operand.
    CheckAll({{2, 8, 6, 6}, {12, 4, 1, 1}, {1, 1}, {0, 0}, {1, 1}, 2}, dtype);
  }
}

TEST_F(ConvolutionPlansTest, BiasAndActivation) {
  few_plans = true;
  const Problem p({{2, 8, 7, 9}, {6, 4, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 2}, DType::kF32);
  const TestTensor bias = RandomTensor({DType::kF32, {6}}, 4);
  const TensorSpec& y_spec = p.grad.layout.spec;
  const std::vector<TensorSpec> inputs = {p.x.layout.spec, p.w.layout.spec, bias.layout.spec};
  forced_options.epilogue = {Epilogue::Bias::kRow, Epilogue::Activation::kRelu};
  for (forced_plan = 0;; ++forced_plan) {
    const absl::Status status = tester_.Prepare("conv2d", p.attrs, inputs, {y_spec});
    if (absl::IsOutOfRange(status)) break;
    ASSERT_TRUE(status.ok()) << status;
    const auto y = tester_.Run("conv2d", p.attrs, {p.x, p.w, bias}, {y_spec});
    ASSERT_EQ(y.size(), 1u);
    for (size_t i = 0; i < y[0].size(); ++i) {
      const double b = bias.values[i / (7 * 9) % 6];
      const double expected = std::max(p.y_sums.value[i] + b, 0.0);
      const double magnitude = p.y_sums.magnitude[i] + std::fabs(b);
      ASSERT_LE(std::fabs(y[0][i] - expected), 2 * 0x1p-24 * std::sqrt(38.0) * magnitude)
          << "element " << i << ", " << tester_.description();
    }
  }
  EXPECT_GE(forced_plan, few_plans ? 5 : 10);
}

TEST_F(ConvolutionPlansTest, RefusesWhatItCannotDo) {
  const Problem p({{1, 2, 5, 5}, {3, 2, 3, 3}}, DType::kF32);
  const TensorSpec &x = p.x.layout.spec, &w = p.w.layout.spec, &y = p.grad.layout.spec;
  forced_options.epilogue = {Epilogue::Bias::kRow, Epilogue::Activation::kNone};
  EXPECT_TRUE(absl::IsInvalidArgument(tester_.Prepare("conv2d", p.attrs, {x, w}, {y})));
  EXPECT_TRUE(
      absl::IsInvalidArgument(tester_.Prepare("conv2d", p.attrs, {x, w, {DType::kF32, {2}}}, {y})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      tester_.Prepare("conv2d_backward_input", p.input_attrs, {y, w}, {x})));
  forced_options = ConvolutionOptions();
  // Padding as wide as 32-bit indices reach.
  const Ints wide = {0, int64_t{1} << 31}, far = {1, int64_t{1} << 31};
  const absl::Status status = tester_.Prepare(
      "conv2d", {{"strides", far}, {"padding", wide}, {"dilation", Ints{1, 1}}, {"groups", 1}},
      {x, w}, {{DType::kF32, {1, 3, 3, 3}}});
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
}

}  // namespace
}  // namespace tandem::vulkan_backend
