// Fused nodes on a Vulkan device: chains of elementwise ops as one shader, dense layers as products
// with their epilogue. The bits are those of the ops one by one, whatever was fused.

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class VulkanFusionTest : public HybridFixture {
 protected:
  void SetUp() override {
    static const auto& opened = *new absl::StatusOr<Device*>([]() -> absl::StatusOr<Device*> {
      BackendRegistry& backends = BackendRegistry::Global();
      // Shaders that bind no more than every device does.
      TANDEM_RETURN_IF_ERROR(backends.SetOption("vulkan", "disable", "many_buffers"));
      TANDEM_RETURN_IF_ERROR(backends.SetOption("vulkan", "validation", "sync"));
      return backends.Open("vulkan:0");
    }());
    if (absl::IsUnavailable(opened.status())) GTEST_SKIP() << "skipped: " << opened.status();
    ASSERT_TRUE(opened.ok()) << opened.status();
    device_ = *opened;
  }
  void TearDown() override {
    EXPECT_THAT(vulkan_backend::ValidationLog::Global().Take(), testing::IsEmpty());
  }

  // Of any dtype; integers from -9 to 9.
  Tensor RandomOf(DType dtype, const Shape& shape) {
    const bool is_integer = dtype == DType::kI32 || dtype == DType::kI64;
    Tensor x = Random(shape);
    if (is_integer)
      x = *Op("clip", {*Op("mul", {x, Array({4}, {})})}, {{"min", -9.0}, {"max", 9.0}});
    return *Op("cast", {x}, {{"dtype", dtype}});
  }

  // Runs the body one by one and compiled in each mode, compares the bits, and returns what was
  // chosen and why.
  std::string Check(const HybridFunction::Body& body, const std::vector<Tensor>& inputs) {
    const auto expected = body(inputs);
    EXPECT_TRUE(expected.ok()) << expected.status();
    std::string text;
    for (const HybridOptions& options : {HybridOptions(), StaticOptions()}) {
      const Ref<HybridFunction> function = Hybrid(body, options);
      for (int call = 0; call < 2; ++call) {
        const auto actual = Call(*function, inputs);
        EXPECT_TRUE(actual.ok()) << actual.status();
        if (!expected.ok() || !actual.ok()) return "";
        ExpectSameBits((*actual)[0], (*expected)[0]);
      }
      text = function->Explain().ToText();
    }
    return text;
  }

  // activation(x · w' + bias); an empty name for no activation, two inputs for no bias.
  static HybridFunction::Body Dense(const std::string& activation, bool transposed = true) {
    return [=](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
      TANDEM_ASSIGN_OR_RETURN(Tensor y,
                              Op("matmul", {in[0], in[1]}, {{"transpose_b", transposed}}));
      if (in.size() > 2) {
        TANDEM_ASSIGN_OR_RETURN(y, Op("add", {in[2], y}));
      }
      if (!activation.empty()) {
        TANDEM_ASSIGN_OR_RETURN(y, Op(activation, {y}));
      }
      return TensorList{y};
    };
  }
};

TEST_F(VulkanFusionTest, DenseLayersOfEveryDType) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kI32, DType::kI64}) {
    for (const auto& [m, n, k] : {std::tuple(1, 33, 70), {5, 17, 64}, {40, 36, 12}}) {
      EXPECT_THAT(Check(Dense("relu"),
                        {RandomOf(dtype, {m, k}), RandomOf(dtype, {n, k}), RandomOf(dtype, {n})}),
                  HasSubstr("fused_matmul"));
    }
  }
}

TEST_F(VulkanFusionTest, EveryActivationWithAndWithoutABias) {
  const Tensor x = Random({6, 20}), w = Random({31, 20}), bias = Random({31});
  EXPECT_THAT(Check(Dense(""), {x, w, bias}), HasSubstr("fused_matmul"));
  for (const char* activation : {"relu", "sigmoid", "tanh"}) {
    SCOPED_TRACE(activation);
    EXPECT_THAT(Check(Dense(activation), {x, w, bias}), HasSubstr("fused_matmul"));
    EXPECT_THAT(Check(Dense(activation), {x, w}), HasSubstr("fused_matmul"));
  }
}

TEST_F(VulkanFusionTest, BatchesStridesAndSumsInParts) {
  const Tensor bias = Random({9});
  EXPECT_THAT(Check(Dense("relu"), {Random({3, 4, 8}), Random({9, 8}), bias}),
              HasSubstr("fused_matmul"));
  EXPECT_THAT(Check(Dense("relu"),
                    {*Op("transpose", {Random({8, 7})}), *Op("transpose", {Random({8, 9})}), bias}),
              HasSubstr("fused_matmul"));
  // A bias that lies elsewhere than at the start, with gaps; with sums in parts, too.
  const Tensor strided =
      *Op("slice", {Random({19})}, {{"begin", Dims{1}}, {"end", Dims{19}}, {"strides", Dims{2}}});
  ASSERT_EQ(strided.shape(), bias.shape());
  for (const Tensor& b : {bias, strided}) {
    EXPECT_THAT(Check(Dense("relu"), {Random({4, 3}), Random({9, 3}), b}),
                HasSubstr("fused_matmul"));
    EXPECT_THAT(Check(Dense("relu"), {Random({2, 5000}), Random({9, 5000}), b}),
                HasSubstr("fused_matmul"));
  }
}

TEST_F(VulkanFusionTest, SpecialValuesAreThoseOfTheOps) {
  const Tensor x =
      Array({-0.0f, 0, -1, 2, HUGE_VALF, -HUGE_VALF, std::nanf(""), -1e-41f, 88, -104}, {10, 1});
  for (const char* activation : {"relu", "sigmoid", "tanh"}) {
    SCOPED_TRACE(activation);
    EXPECT_THAT(Check(Dense(activation), {x, Array({1}, {1, 1}), Array({-0.0f}, {1})}),
                HasSubstr("fused_matmul"));
  }
}

TEST_F(VulkanFusionTest, LeavesWhatWouldNotBeTheSame) {
  EXPECT_THAT(Check(Dense("silu"), {Random({2, 3}), Random({4, 3}), Random({4})}),
              HasSubstr("fused(add, silu)"));
  // A sum of f16 is rounded before the bias is added.
  EXPECT_THAT(Check(Dense("relu"), {RandomOf(DType::kF16, {2, 3}), RandomOf(DType::kF16, {4, 3}),
                                    RandomOf(DType::kF16, {4})}),
              Not(HasSubstr("fused_matmul")));
  // A bias for each row, or one for all.
  for (const Tensor& bias : {Random({4, 1}), Random({1})}) {
    EXPECT_THAT(Check(Dense("relu"), {Random({4, 3}), Random({4, 3}), bias}),
                Not(HasSubstr("fused_matmul")));
  }
  // A product with a vector has no columns; the product is used twice.
  EXPECT_THAT(Check(Dense("relu", false), {Random({4, 3}), Random({3}), Random({4})}),
              Not(HasSubstr("fused_matmul")));
  EXPECT_THAT(Check(
                  [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
                    TANDEM_ASSIGN_OR_RETURN(Tensor p, Op("matmul", {in[0], in[1]}));
                    TANDEM_ASSIGN_OR_RETURN(Tensor sum, Op("add", {p, in[2]}));
                    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {sum, p}));
                    return TensorList{y};
                  },
                  {Random({2, 3}), Random({3, 4}), Random({4})}),
              Not(HasSubstr("fused_matmul")));
}

TEST_F(VulkanFusionTest, ChainsReadNoMoreThanAShaderBinds) {
  const auto sum = [](int inputs) {
    return [inputs](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
      Tensor y = in[0];
      for (int i = 1; i < inputs; ++i) {
        TANDEM_ASSIGN_OR_RETURN(y, Op("add", {y, in[i]}));
      }
      return TensorList{y};
    };
  };
  std::vector<Tensor> inputs;
  for (int i = 0; i < 7; ++i) inputs.push_back(Random({5}));
  EXPECT_THAT(Check(sum(6), {inputs.begin(), inputs.begin() + 6}),
              HasSubstr("fused(add, add, add, add, add)"));
  EXPECT_THAT(Check(sum(7), inputs), Not(HasSubstr("add, add, add, add, add, add")));
}

TEST_F(VulkanFusionTest, ChainsAreOneShader) {
  const HybridFunction::Body body = [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {in[0], in[1]}));
    TANDEM_ASSIGN_OR_RETURN(y, Op("add", {y, in[0]}));
    TANDEM_ASSIGN_OR_RETURN(y, Op("square", {y}));
    TANDEM_ASSIGN_OR_RETURN(y, Op("sub", {y, in[1]}));
    return TensorList{y};
  };
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI32}) {
    const std::vector<Tensor> inputs = {RandomOf(dtype, {7, 5}), RandomOf(dtype, {5})};
    EXPECT_THAT(Check(body, inputs), HasSubstr("fused(mul, add, square, sub)"));
  }
  EXPECT_THAT(Check(
                  [](absl::Span<const Tensor> in) -> absl::StatusOr<TensorList> {
                    TANDEM_ASSIGN_OR_RETURN(Tensor y, Op("mul", {in[0], in[1]}));
                    TANDEM_ASSIGN_OR_RETURN(y, Op("exp", {y}));
                    TANDEM_ASSIGN_OR_RETURN(y, Op("add", {y, in[1]}));
                    TANDEM_ASSIGN_OR_RETURN(y, Op("tanh", {y}));
                    return TensorList{y};
                  },
                  {*Op("transpose", {Random({70, 3})}), Random({70})}),
              HasSubstr("fused(mul, exp, add, tanh)"));
}

}  // namespace
}  // namespace tandem
