#include "tandem/backends/vulkan/kernels/contraction/matmul.h"

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/contraction/contraction_testing.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

// What the kernel "matmul" of a tester is prepared with.
MatmulOptions forced_options;
int forced_plan = -1;    // of MatmulPlans
bool few_plans = false;  // one of each method, and tiles in parts: drivers on a CPU compile slowly

absl::StatusOr<Ref<const PreparedKernel>> PrepareForced(const KernelRequest& request) {
  MatmulOptions options = forced_options;
  if (forced_plan >= 0) {
    auto plans = MatmulPlans(request);
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
  return PrepareMatmul(request, options);
}

absl::Status RegisterForced(KernelRegistry* registry) {
  KernelDef def = VulkanKernelDef("matmul", "forced", {}, &PrepareForced);
  def.strided_inputs = true;
  return registry->Register(std::move(def));
}

struct Flags {
  bool transpose_a = false;
  bool transpose_b = false;
};

// Products of the last two axes in f64, and the sums of their magnitudes.
struct Reference {
  Shape shape;
  int64_t depth;
  std::vector<double> values, magnitudes;
};

Reference Multiply(const TestTensor& a, const TestTensor& b, Flags flags) {
  const Shape& as = a.layout.spec.shape;
  const Shape& bs = b.layout.spec.shape;
  const int ar = as.rank(), br = bs.rank();
  const int64_t m = flags.transpose_a ? as[ar - 1] : as[ar - 2];
  const int64_t k = flags.transpose_a ? as[ar - 2] : as[ar - 1];
  const int64_t n = flags.transpose_b ? bs[br - 2] : bs[br - 1];
  const Shape a_batch(as.span().subspan(0, ar - 2)), b_batch(bs.span().subspan(0, br - 2));
  const Shape batch = BroadcastShapes(a_batch, b_batch).value();
  Reference r{batch, k, {}, {}};
  r.shape.push_back(m);
  r.shape.push_back(n);
  const auto start = [&](const Shape& own, int64_t index) {
    int64_t at = 0, scale = 1;
    for (int i = batch.rank() - 1, j = own.rank() - 1; i >= 0; --i, --j) {
      const int64_t position = index % batch[i];
      index /= batch[i];
      if (j >= 0) {
        at += (own[j] == 1 ? 0 : position) * scale;
        scale *= own[j];
      }
    }
    return at;
  };
  for (int64_t p = 0; p < batch.num_elements(); ++p) {
    const double* x = a.values.data() + start(a_batch, p) * m * k;
    const double* y = b.values.data() + start(b_batch, p) * k * n;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0, magnitude = 0;
        for (int64_t l = 0; l < k; ++l) {
          const double term = (flags.transpose_a ? x[l * m + i] : x[i * k + l]) *
                              (flags.transpose_b ? y[j * k + l] : y[l * n + j]);
          sum += term;
          magnitude += std::fabs(term);
        }
        r.values.push_back(sum);
        r.magnitudes.push_back(magnitude);
      }
    }
  }
  return r;
}

// Runs and compares, with room for the rounding of every product and sum: c u sqrt(k) times the sum
// of the terms' magnitudes, and the rounding of the result.
void Check(KernelTester& tester, const TestTensor& a, const TestTensor& b, Flags flags = {}) {
  const DType dtype = a.layout.spec.dtype;
  const Reference r = Multiply(a, b, flags);
  const auto results =
      tester.Run("matmul", {{"transpose_a", flags.transpose_a}, {"transpose_b", flags.transpose_b}},
                 {a, b}, {{dtype, r.shape}});
  ASSERT_EQ(results.size(), 1u);
  for (size_t i = 0; i < r.values.size(); ++i) {
    const double bound =
        2 * ComputeRoundoff(dtype) * std::sqrt(static_cast<double>(r.depth) + 1) * r.magnitudes[i] +
        1.01 * StorageRoundoff(dtype) * std::fabs(r.values[i]);
    const double expected = IsFloating(dtype) ? r.values[i] : RoundTo(dtype, r.values[i]);
    ASSERT_LE(std::fabs(results[0][i] - expected), bound)
        << "element " << i << " of " << a.layout.spec.ToString() << " " << b.layout.spec.ToString()
        << (flags.transpose_a ? " ta" : "") << (flags.transpose_b ? " tb" : "") << ", "
        << tester.description();
  }
}

TestTensor Random(DType dtype, Shape shape, uint32_t seed) {
  return RandomTensor({dtype, std::move(shape)}, seed);
}

// Stored with the axes in the order `axes` (outermost first), `step` elements apart.
TestTensor Permuted(TestTensor tensor, const std::vector<int>& axes, int64_t step, int64_t offset) {
  const Shape& shape = tensor.layout.spec.shape;
  Strides strides = tensor.layout.strides;
  int64_t stride = step;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    strides[*axis] = stride;
    stride *= shape[*axis];
  }
  return Restride(std::move(tensor), strides, offset);
}

class MatmulTest : public LaneTest {
 protected:
  MatmulTest() : LaneTest(&RegisterMatmulKernels) {}
};

TEST_P(MatmulTest, SizesAndTransposes) {
  uint32_t seed = 1;
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                   {1, 65, 300},
                                                                   {65, 1, 300},
                                                                   {7, 33, 64},
                                                                   {33, 7, 31},
                                                                   {40, 40, 7},
                                                                   {64, 32, 32},
                                                                   {5, 20, 0}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
      seed += 2;
      Check(tester(), Random(DType::kF32, ta ? Shape{k, m} : Shape{m, k}, seed),
            Random(DType::kF32, tb ? Shape{n, k} : Shape{k, n}, seed + 1), {ta, tb});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(MatmulTest, EmptyResults) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{0, 3}, {3, 0}, {0, 0}}) {
    Check(tester(), Random(DType::kF32, {m, 5}, 1), Random(DType::kF32, {5, n}, 2));
  }
}

TEST_P(MatmulTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16,
                      DType::kI32, DType::kI64}) {
    if (!tester().device().capabilities().Computes(dtype)) continue;
    Check(tester(), Random(dtype, {37, 19}, 5), Random(dtype, {19, 23}, 6));
    Check(tester(), Random(dtype, {3, 19}, 5), Random(dtype, {23, 19}, 6), {false, true});
    if (HasFatalFailure()) return;
  }
}

TEST_P(MatmulTest, IntegersWrap) {
  const auto y = tester().Run(
      "matmul", {{"transpose_a", false}, {"transpose_b", false}},
      {MakeTensor({DType::kI8, {1, 2}}, {100, 100}), MakeTensor({DType::kI8, {2, 1}}, {2, 1})},
      {{DType::kI8, {1, 1}}});
  ASSERT_EQ(y.size(), 1u);
  EXPECT_EQ(y[0][0], 300 - 256);
}

TEST_P(MatmulTest, BatchesBroadcast) {
  const DType t = DType::kF32;
  Check(tester(), Random(t, {3, 5, 7}, 1), Random(t, {3, 7, 9}, 2));
  Check(tester(), Random(t, {3, 5, 7}, 1), Random(t, {7, 9}, 2));
  Check(tester(), Random(t, {3, 5, 7}, 1), Random(t, {9, 7}, 2), {false, true});
  Check(tester(), Random(t, {3, 7, 5}, 1), Random(t, {7, 9}, 2), {true, false});
  Check(tester(), Random(t, {5, 7}, 1), Random(t, {4, 7, 9}, 2));
  Check(tester(), Random(t, {2, 1, 5, 7}, 1), Random(t, {1, 3, 7, 9}, 2));
  Check(tester(), Random(t, {2, 1, 40, 64}, 1), Random(t, {64, 33}, 2));
  Check(tester(), Random(t, {0, 5, 7}, 1), Random(t, {7, 9}, 2));
  // More dimensions than the shader walks.
  Check(tester(), Random(t, {2, 1, 2, 1, 3, 1, 3, 5}, 1), Random(t, {1, 3, 1, 2, 1, 2, 5, 4}, 2));
  // And their results begin where no binding may.
  Check(tester(), Random(t, {3, 1, 3, 1, 3, 1, 1}, 1), Random(t, {1, 3, 1, 3, 1, 1, 1}, 2));
}

TEST_P(MatmulTest, StridedOperands) {
  const DType t = DType::kF32;
  for (int64_t step : {1, 3}) {
    for (int order = 0; order < 4; ++order) {
      const std::vector<int> a_axes = (order & 1) ? std::vector<int>{1, 0} : std::vector<int>{0, 1};
      const std::vector<int> b_axes = (order & 2) ? std::vector<int>{1, 0} : std::vector<int>{0, 1};
      Check(tester(), Permuted(Random(t, {35, 70}, 1), a_axes, step, 5),
            Permuted(Random(t, {70, 41}, 2), b_axes, step, 2));
      Check(tester(), Permuted(Random(t, {2, 70}, 1), a_axes, step, 5),
            Permuted(Random(t, {41, 70}, 2), b_axes, step, 2), {false, true});
    }
  }
  // Attention: heads are an inner axis.
  Check(tester(), Permuted(Random(t, {2, 3, 5, 8}, 1), {0, 2, 1, 3}, 1, 0),
        Permuted(Random(t, {2, 3, 5, 8}, 2), {0, 2, 1, 3}, 1, 0), {false, true});
  // Rows backwards, and one row many times.
  Check(tester(), Restride(Random(t, {4, 8}, 1), {-8, 1}, 24),
        MakeTensor({t, {8, 3}}, std::vector<double>(24, 0.5)));
  TestTensor same = MakeTensor({t, {8, 3}}, std::vector<double>(24, 0.5));
  Check(tester(), Random(t, {4, 8}, 1), Restride(same, {0, 1}, 0));
}

TEST_P(MatmulTest, Vectors) {
  const std::vector<AttributeInit> none = {{"transpose_a", false}, {"transpose_b", false}};
  const TestTensor v = MakeTensor({DType::kF32, {3}}, {1, 2, 3});
  const TestTensor m = MakeTensor({DType::kF32, {3, 2}}, {1, 2, 3, 4, 5, 6});
  using Values = std::vector<std::vector<double>>;
  EXPECT_EQ(tester().Run("matmul", none, {v, m}, {{DType::kF32, {2}}}), (Values{{22, 28}}));
  EXPECT_EQ(tester().Run("matmul", none, {v, v}, {{DType::kF32, {}}}), (Values{{14}}));
  const TestTensor w = MakeTensor({DType::kF32, {2}}, {10, 1});
  EXPECT_EQ(tester().Run("matmul", none, {m, w}, {{DType::kF32, {3}}}), (Values{{12, 34, 56}}));
}

TEST_P(MatmulTest, RefusesMixedDTypes) {
  EXPECT_TRUE(absl::IsNotFound(
      tester().Prepare("matmul", {{"transpose_a", false}, {"transpose_b", false}},
                       {{DType::kF32, {2, 2}}, {DType::kF64, {2, 2}}}, {{DType::kF32, {2, 2}}})));
}

INSTANTIATE_TEST_SUITE_P(Variants, MatmulTest, testing::ValuesIn(kContractionVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

// Every plan, whether it is ever chosen or not.
class MatmulPlansTest : public testing::Test {
 protected:
  MatmulPlansTest() : tester_({&RegisterForced}) {}
  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }
  void TearDown() override {
    forced_plan = -1;
    few_plans = false;
    forced_options = MatmulOptions();
  }

  // Calls `check` with each plan forced, and says how many there were.
  int ForPlans(const std::function<void()>& check, const std::vector<TensorSpec>& inputs,
               const TensorSpec& output, Flags flags = {}) {
    int count = 0;
    for (;; ++count) {
      forced_plan = count;
      const absl::Status status = tester_.Prepare(
          "matmul", {{"transpose_a", flags.transpose_a}, {"transpose_b", flags.transpose_b}},
          inputs, {output});
      if (absl::IsOutOfRange(status)) return count;
      EXPECT_TRUE(status.ok()) << status;
      check();
      if (HasFailure()) return count;
      descriptions_.insert(tester_.description());
    }
  }

  KernelTester tester_;
  std::set<std::string> descriptions_;
};

TEST_F(MatmulPlansTest, CheckedAndUnchecked) {
  for (const auto& [m, n, k] :
       std::vector<std::array<int64_t, 3>>{{61, 70, 93}, {128, 128, 64}, {30, 36, 100}}) {
    const TestTensor a = Random(DType::kF32, {m, k}, 1), b = Random(DType::kF32, {k, n}, 2);
    const int plans = ForPlans([&] { Check(tester_, a, b); }, {a.layout.spec, b.layout.spec},
                               {DType::kF32, {m, n}});
    EXPECT_GE(plans, 15);
  }
  EXPECT_TRUE(
      descriptions_.contains("matmul tile 128x128x16, left by four, right by four, unchecked"));
  EXPECT_TRUE(descriptions_.contains("matmul tile 32x32x16, left by four, right by four, 3 parts"));
}

TEST_F(MatmulPlansTest, Transposes) {
  few_plans = true;
  const int64_t m = 36, n = 40, k = 52;
  for (int flags = 1; flags < 4; ++flags) {
    const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
    const TestTensor a = Random(DType::kF32, ta ? Shape{k, m} : Shape{m, k}, 1);
    const TestTensor b = Random(DType::kF32, tb ? Shape{n, k} : Shape{k, n}, 2);
    ForPlans(
        [&] {
          Check(tester_, a, b, {ta, tb});
        },
        {a.layout.spec, b.layout.spec}, {DType::kF32, {m, n}}, {ta, tb});
  }
}

TEST_F(MatmulPlansTest, DTypes) {
  few_plans = true;
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16, DType::kI32, DType::kI64}) {
    const TestTensor a = Random(dtype, {35, 41}, 1), b = Random(dtype, {41, 38}, 2);
    ForPlans([&] { Check(tester_, a, b); }, {a.layout.spec, b.layout.spec}, {dtype, {35, 38}});
    // Four elements a fetch.
    const TestTensor c = Random(dtype, {36, 44}, 1), d = Random(dtype, {40, 44}, 2);
    ForPlans(
        [&] {
          Check(tester_, c, d, {false, true});
        },
        {c.layout.spec, d.layout.spec}, {dtype, {36, 40}}, {false, true});
  }
}

TEST_F(MatmulPlansTest, BatchesInParts) {
  few_plans = true;
  const TestTensor a = Random(DType::kF32, {2, 1, 33, 50}, 1);
  const TestTensor b = Random(DType::kF32, {1, 3, 50, 20}, 2);
  ForPlans([&] { Check(tester_, a, b); }, {a.layout.spec, b.layout.spec},
           {DType::kF32, {2, 3, 33, 20}});
}

double Activate(Epilogue::Activation activation, double x) {
  using A = Epilogue::Activation;
  const double sigmoid = 1 / (1 + std::exp(-x));
  switch (activation) {
    case A::kRelu:
      return std::max(x, 0.0);
    case A::kSigmoid:
      return sigmoid;
    case A::kTanh:
      return std::tanh(x);
    case A::kSilu:
      return x * sigmoid;
    case A::kGelu:
      return 0.5 * x * (1 + std::erf(x * M_SQRT1_2));
    case A::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    default:
      return x;
  }
}

TEST_F(MatmulPlansTest, BiasAndActivation) {
  few_plans = true;
  using A = Epilogue::Activation;
  const std::vector<AttributeInit> attrs = {{"transpose_a", false}, {"transpose_b", false}};
  // The second is turned round: few columns become rows.
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{20, 36}, {36, 5}}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      const TestTensor a = Random(dtype, {m, 48}, 1), b = Random(dtype, {48, n}, 2);
      const TestTensor bias = Random(dtype, {n}, 3);
      const Reference r = Multiply(a, b, {});
      for (const A activation :
           {A::kNone, A::kRelu, A::kSigmoid, A::kTanh, A::kSilu, A::kGelu, A::kGeluTanh}) {
        forced_options.epilogue = {Epilogue::Bias::kColumn, activation};
        const auto check = [&] {
          const auto y = tester_.Run("matmul", attrs, {a, b, bias}, {{dtype, {m, n}}});
          ASSERT_EQ(y.size(), 1u);
          for (size_t i = 0; i < r.values.size(); ++i) {
            const double sum = r.values[i] + bias.values[i % n];
            // No activation here is steeper than 1.2; their own error is a few ulp of what they add.
            const double magnitude = r.magnitudes[i] + std::fabs(bias.values[i % n]);
            const double expected = Activate(activation, sum);
            const double bound = 1.2 * 2 * ComputeRoundoff(dtype) * std::sqrt(50.0) * magnitude +
                                 16 * ComputeRoundoff(dtype) * (1 + std::fabs(sum)) +
                                 1.01 * StorageRoundoff(dtype) * std::fabs(expected);
            ASSERT_LE(std::fabs(y[0][i] - expected), bound)
                << "element " << i << ", activation " << static_cast<int>(activation) << ", "
                << tester_.description();
          }
        };
        const std::vector<TensorSpec> specs = {a.layout.spec, b.layout.spec, bias.layout.spec};
        if (activation == A::kRelu && dtype == DType::kF32) {
          ForPlans(check, specs, {dtype, {m, n}});  // in each way to sum, and after parts
        } else {
          forced_plan = -1;
          check();
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(MatmulPlansTest, RefusesWhatItCannotFinish) {
  const std::vector<AttributeInit> attrs = {{"transpose_a", false}, {"transpose_b", false}};
  const TensorSpec square = {DType::kF32, {4, 4}}, f64 = {DType::kF64, {4, 4}};
  forced_options.epilogue = {Epilogue::Bias::kColumn, Epilogue::Activation::kNone};
  EXPECT_TRUE(
      absl::IsInvalidArgument(tester_.Prepare("matmul", attrs, {square, square}, {square})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      tester_.Prepare("matmul", attrs, {square, square, {DType::kF32, {3}}}, {square})));
  forced_options.epilogue = {Epilogue::Bias::kNone, Epilogue::Activation::kTanh};
  EXPECT_TRUE(absl::IsUnimplemented(tester_.Prepare("matmul", attrs, {f64, f64}, {f64})));
  forced_options = MatmulOptions();
  const absl::Status large = tester_.Prepare(
      "matmul", attrs, {{DType::kF32, {1 << 16, 1 << 16}}, {DType::kF32, {1 << 16, 2}}},
      {{DType::kF32, {1 << 16, 2}}});
  EXPECT_TRUE(absl::IsUnimplemented(large)) << large;
}

}  // namespace
}  // namespace tandem::vulkan_backend
