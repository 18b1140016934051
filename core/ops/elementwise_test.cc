// Definitions of elementwise ops: inference, values, gradients.
#include "tandem/core/ops/elementwise.h"

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/op/elementwise_expr.h"
#include "tandem/core/ops/reference_invoker.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kMin64 = std::numeric_limits<int64_t>::min();

const OpRegistry& Registry() {
  static const OpRegistry* registry = [] {
    auto* r = new OpRegistry;
    EXPECT_TRUE(RegisterStandardOps(r).ok());
    return r;
  }();
  return *registry;
}

absl::StatusOr<SpecList> Infer(absl::string_view name, const std::vector<TensorSpec>& inputs,
                               const std::vector<AttributeInit>& attrs = {}) {
  const OpDef* op = Registry().Find(name);
  const AttributeMap map = AttributeMap::Create(op->attributes, attrs).value();
  std::vector<const TensorSpec*> pointers;
  for (const TensorSpec& input : inputs) pointers.push_back(&input);
  return InferSpecs(*op, map, pointers);
}

std::string Inferred(absl::string_view name, const std::vector<TensorSpec>& inputs,
                     const std::vector<AttributeInit>& attrs = {}) {
  const auto specs = Infer(name, inputs, attrs);
  return specs.ok() ? (*specs)[0].ToString() : std::string(specs.status().message());
}

Tensor Make(DType dtype, std::vector<double> values, Shape shape = {}) {
  if (shape.rank() == 0) shape = {static_cast<int64_t>(values.size())};
  return ReferenceInvoker::Make({dtype, shape}, std::move(values));
}
Tensor F64(std::vector<double> values, Shape shape = {}) {
  return Make(DType::kF64, std::move(values), shape);
}

std::vector<double> Values(absl::string_view op, std::vector<Tensor> inputs,
                           const std::vector<AttributeInit>& attrs = {}) {
  ReferenceInvoker invoker(&Registry());
  return ReferenceInvoker::Values(invoker.Invoke(op, inputs, attrs, nullptr).value()[0]);
}

// --- inference -----------------------------------------------------------------------------------

TEST(ElementwiseInference, BroadcastsAndPromotes) {
  EXPECT_EQ(Inferred("add", {{DType::kF32, {2, 1}}, {DType::kF32, {3}}}), "f32[2,3]");
  EXPECT_EQ(Inferred("add", {{DType::kI32, {0, 3}}, {DType::kF16, {1}}}), "f16[0,3]");
  EXPECT_EQ(Inferred("mul", {{DType::kF16, {}}, {DType::kBF16, {}}}), "f32[]");
  EXPECT_EQ(Inferred("add", {{DType::kBool, {2}}, {DType::kBool, {2}}}), "bool[2]");
  EXPECT_EQ(Inferred("div", {{DType::kI64, {2}}, {DType::kI64, {2}}}), "f32[2]");
  EXPECT_EQ(Inferred("div", {{DType::kF64, {2}}, {DType::kI64, {2}}}), "f64[2]");
  EXPECT_EQ(Inferred("less", {{DType::kF64, {2}}, {DType::kI8, {}}}), "bool[2]");
  EXPECT_EQ(Inferred("where", {{DType::kF64, {4, 1}}, {DType::kI8, {3}}, {DType::kI8, {}}}),
            "i8[4,3]");
  EXPECT_EQ(Inferred("exp", {{DType::kI32, {3}}}), "f32[3]");
  EXPECT_EQ(Inferred("floor", {{DType::kI32, {3}}}), "i32[3]");
  EXPECT_EQ(Inferred("isnan", {{DType::kI32, {3}}}), "bool[3]");
  EXPECT_EQ(Inferred("cast", {{DType::kF32, {3}}}, {{"dtype", DType::kBF16}}), "bf16[3]");
}

TEST(ElementwiseInference, ErrorsNameOpShapesAndRule) {
  const std::string text = Inferred("add", {{DType::kF32, {2, 3}}, {DType::kF32, {4}}});
  EXPECT_THAT(text, HasSubstr("add(a f32[2,3], b f32[4]): "));
  EXPECT_THAT(text, HasSubstr("do not broadcast"));
  EXPECT_THAT(Inferred("sub", {{DType::kBool, {2}}, {DType::kBool, {2}}}),
              HasSubstr("is not defined for bool; cast to a number first"));
  EXPECT_THAT(Inferred("add", {{DType::kF32, {}}}), HasSubstr("takes 2 inputs, 1 given"));
  EXPECT_THAT(Inferred("neg", {{DType::kBool, {2}}}), HasSubstr("not defined for bool"));
  EXPECT_THAT(Inferred("clip", {{DType::kF32, {2}}}, {{"min", 1.0}, {"max", 0.0}}),
              HasSubstr("min must not be greater than max"));
  EXPECT_THAT(Inferred("clip", {{DType::kF32, {2}}}, {{"min", kNan}, {"max", 0.0}}),
              HasSubstr("neither may be NaN"));
  EXPECT_THAT(
      Inferred("mul", {{DType::kF32, {int64_t{1} << 40, 1}}, {DType::kF32, {1, int64_t{1} << 40}}}),
      HasSubstr("would not fit"));
}

// --- values --------------------------------------------------------------------------------------

TEST(Elementwise, EveryProgramBuildsForEveryDType) {
  for (const OpDef* op : Registry().ops()) {
    if (!op->scalar) continue;
    for (int d = 0; d < kNumDTypes; ++d) {
      const DType dtype = static_cast<DType>(d);
      std::vector<AttributeInit> attrs;
      if (op->name == "clip") attrs = {{"min", -1.0}, {"max", 1.0}};
      if (op->name == "cast") attrs = {{"dtype", DType::kF16}};
      const std::vector<TensorSpec> inputs(op->inputs.size(), TensorSpec{dtype, {2}});
      const auto specs = Infer(op->name, inputs, attrs);
      if (!specs.ok()) {
        EXPECT_EQ(dtype, DType::kBool) << specs.status();
        continue;
      }
      const auto expr =
          BuildScalarExpr(*op, AttributeMap::Create(op->attributes, attrs).value(),
                          std::vector<DType>(op->inputs.size(), dtype), (*specs)[0].dtype);
      EXPECT_TRUE(expr.ok()) << op->name << " " << DTypeName(dtype) << ": " << expr.status();
      EXPECT_TRUE(op->traits.inplace_safe) << op->name;
      EXPECT_FALSE(op->doc.empty());
    }
  }
}

TEST(Elementwise, Arithmetic) {
  EXPECT_THAT(Values("add", {Make(DType::kU8, {250, 1}), Make(DType::kU8, {10})}),
              ElementsAre(4, 11));
  EXPECT_THAT(Values("div", {Make(DType::kI32, {7, -7}), Make(DType::kI32, {2})}),
              ElementsAre(3.5, -3.5));
  EXPECT_THAT(Values("floor_div", {Make(DType::kI32, {7, -7}), Make(DType::kI32, {2})}),
              ElementsAre(3, -4));
  EXPECT_THAT(Values("mod", {Make(DType::kI32, {7, -7}), Make(DType::kI32, {3})}),
              ElementsAre(1, 2));
  EXPECT_THAT(Values("add", {Make(DType::kBool, {0, 1}), Make(DType::kBool, {1, 1})}),
              ElementsAre(1, 1));
  EXPECT_THAT(Values("maximum", {F64({kNan, 1, 2}), F64({1, kNan, 3})}),
              ElementsAre(testing::IsNan(), testing::IsNan(), 3));
  EXPECT_THAT(Values("abs", {Make(DType::kI8, {-128, -3})}), ElementsAre(-128, 3));
  EXPECT_THAT(Values("round", {F64({0.5, 1.5, -2.5})}), ElementsAre(0, 2, -2));
}

TEST(Elementwise, ComparisonsAndLogic) {
  const Tensor a = Make(DType::kBool, {0, 0, 1, 1});
  const Tensor b = Make(DType::kBool, {0, 1, 0, 1});
  EXPECT_THAT(Values("less", {a, b}), ElementsAre(0, 1, 0, 0));
  EXPECT_THAT(Values("less_equal", {a, b}), ElementsAre(1, 1, 0, 1));
  EXPECT_THAT(Values("greater", {a, b}), ElementsAre(0, 0, 1, 0));
  EXPECT_THAT(Values("greater_equal", {a, b}), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(Values("logical_xor", {a, b}), ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(Values("logical_and", {F64({0.25, kNan, 0}), Make(DType::kI8, {2, 1, 1})}),
              ElementsAre(1, 1, 0));
  EXPECT_THAT(Values("logical_not", {F64({0, -0.0, 0.1})}), ElementsAre(1, 1, 0));
  EXPECT_THAT(Values("greater", {F64({kNan, 1}), F64({0, kNan})}), ElementsAre(0, 0));
  EXPECT_THAT(Values("not_equal", {F64({kNan}), F64({kNan})}), ElementsAre(1));
  EXPECT_THAT(Values("where", {F64({1, 0}), Make(DType::kI32, {1, 2}), F64({0.5})}),
              ElementsAre(1, 0.5));
}

TEST(Elementwise, ActivationsAndConversions) {
  EXPECT_THAT(Values("relu", {F64({-1, 0, 2, kNan})}), ElementsAre(0, 0, 2, testing::IsNan()));
  EXPECT_THAT(Values("leaky_relu", {F64({-2, 3})}, {{"alpha", 0.5}}), ElementsAre(-1, 3));
  EXPECT_THAT(Values("clip", {F64({-kInf, 0.25, kInf, kNan})}, {{"min", 0.0}, {"max", 1.0}}),
              ElementsAre(0, 0.25, 1, testing::IsNan()));
  EXPECT_THAT(Values("clip", {Make(DType::kI64, {-9, 1, 9})}, {{"min", -kInf}, {"max", 2.5}}),
              ElementsAre(-9, 1, 2));
  EXPECT_THAT(Values("cast", {F64({1.9, -1.9, kNan, 1e30})}, {{"dtype", DType::kI64}}),
              ElementsAre(1, -1, 0, 9223372036854775807.0));
  EXPECT_THAT(Values("cast", {F64({0.0, 0.1})}, {{"dtype", DType::kBool}}), ElementsAre(0, 1));
  EXPECT_THAT(
      Values("cast", {Make(DType::kI64, {static_cast<double>(kMin64)})}, {{"dtype", DType::kF32}}),
      ElementsAre(-0x1p63));
  for (double x : {-3.0, -0.5, 0.0, 1.25}) {
    EXPECT_NEAR(Values("gelu", {F64({x})})[0], 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))), 1e-15);
    EXPECT_NEAR(Values("silu", {F64({x})})[0], x / (1 + std::exp(-x)), 1e-15);
  }
}

// --- gradients -----------------------------------------------------------------------------------

TEST(ElementwiseGradient, Unary) {
  // Where each is smooth; away from kinks.
  const Tensor any = F64({-2.3, -0.7, 0.4, 1.6}, {2, 2});
  const Tensor positive = F64({0.3, 0.9, 1.7, 4.2}, {2, 2});
  for (const char* op :
       {"neg", "abs", "square", "exp", "expm1", "sin", "cos", "tanh", "erf", "sigmoid", "softplus",
        "relu", "leaky_relu", "gelu", "silu", "identity", "reciprocal"}) {
    EXPECT_EQ(CheckGradient(Registry(), op, {any}), absl::OkStatus());
  }
  for (const char* op : {"log", "log1p", "sqrt", "rsqrt", "reciprocal"}) {
    EXPECT_EQ(CheckGradient(Registry(), op, {positive}), absl::OkStatus());
  }
  EXPECT_EQ(CheckGradient(Registry(), "gelu", {any}, {{"approximate", "tanh"}}), absl::OkStatus());
  EXPECT_EQ(CheckGradient(Registry(), "clip", {any}, {{"min", -1.0}, {"max", 1.0}}),
            absl::OkStatus());
  EXPECT_EQ(CheckGradient(Registry(), "cast", {any}, {{"dtype", DType::kF64}}), absl::OkStatus());
}

TEST(ElementwiseGradient, BinaryWithBroadcasting) {
  const Tensor a = F64({0.71, 1.93, 2.65, 0.47, 3.38, 1.29}, {2, 3});
  const std::vector<Tensor> others = {F64({1.5, -0.8, 2.2, 1.1, -3.7, 0.6}, {2, 3}),
                                      F64({1.5, -2.2, 0.9}, {3}), F64({1.3, -0.7}, {2, 1}),
                                      ReferenceInvoker::Make({DType::kF64, {}}, {1.7}),
                                      F64({2, -3, 3}, {1, 1, 3})};
  for (const Tensor& b : others) {
    for (const char* op : {"add", "sub", "mul", "div", "mod", "minimum", "maximum", "pow"}) {
      EXPECT_EQ(CheckGradient(Registry(), op, {a, b}), absl::OkStatus()) << b.shape().ToString();
    }
    for (const char* op : {"add", "sub", "mul"}) {
      EXPECT_EQ(CheckGradient(Registry(), op, {b, a}), absl::OkStatus()) << b.shape().ToString();
    }
  }
  EXPECT_EQ(CheckGradient(Registry(), "where", {Make(DType::kBool, {1, 0}, {2, 1}), a, others[1]}),
            absl::OkStatus());
  // Integers take part, and have no gradient.
  EXPECT_EQ(CheckGradient(Registry(), "mul", {a, Make(DType::kI32, {1, 2, 3})}), absl::OkStatus());
  EXPECT_EQ(CheckGradient(Registry(), "pow", {a, Make(DType::kU8, {0, 1, 3})}), absl::OkStatus());
  EXPECT_EQ(CheckGradient(Registry(), "pow", {F64({-2, -0.5}), Make(DType::kI32, {3, -2})}),
            absl::OkStatus());
}

TEST(ElementwiseGradient, EmptyInputs) {
  const Tensor none = ReferenceInvoker::Make({DType::kF64, {0, 3}}, {});
  EXPECT_EQ(CheckGradient(Registry(), "mul", {none, F64({1, 2, 3})}), absl::OkStatus());
  EXPECT_EQ(CheckGradient(Registry(), "add", {F64({1}), none}), absl::OkStatus());
}

// The gradients of `op` for a gradient of ones.
std::vector<std::vector<double>> Gradients(absl::string_view name, std::vector<Tensor> inputs,
                                           const std::vector<AttributeInit>& attrs = {}) {
  ReferenceInvoker invoker(&Registry());
  const OpDef* op = Registry().Find(name);
  const AttributeMap map = AttributeMap::Create(op->attributes, attrs).value();
  const TensorList outputs = invoker.Invoke(name, inputs, attrs, nullptr).value();
  const std::vector<double> values(outputs[0].num_elements(), 1);
  const std::vector<Tensor> ones = {ReferenceInvoker::Make(outputs[0].spec(), values)};
  VjpContext context(map, inputs, outputs, ones, ~uint64_t{0}, invoker);
  std::vector<std::vector<double>> result;
  const TensorList grads = op->vjp(context).value();
  for (const Tensor& grad : grads) {
    result.push_back(grad.defined() ? ReferenceInvoker::Values(grad) : std::vector<double>());
  }
  return result;
}

std::vector<double> FirstGradient(absl::string_view name, std::vector<Tensor> inputs,
                                  const std::vector<AttributeInit>& attrs = {}) {
  return Gradients(name, std::move(inputs), attrs)[0];
}

TEST(ElementwiseGradient, AtKinks) {
  EXPECT_THAT(FirstGradient("relu", {F64({0, -0.0})}), ElementsAre(0, 0));
  EXPECT_THAT(FirstGradient("abs", {F64({0})}), ElementsAre(0));
  EXPECT_THAT(FirstGradient("clip", {F64({-1, 1, 2})}, {{"min", -1.0}, {"max", 1.0}}),
              ElementsAre(1, 1, 0));
  const auto ties = Gradients("maximum", {F64({1, 2}), F64({1, 1})});
  EXPECT_THAT(ties[0], ElementsAre(0.5, 1));
  EXPECT_THAT(ties[1], ElementsAre(0.5, 0));
  const auto pow = Gradients("pow", {F64({0, 0, 3}), F64({0, 2, 0})});
  EXPECT_THAT(pow[0], ElementsAre(0, 0, 0));
  EXPECT_THAT(pow[1], ElementsAre(0, 0, testing::DoubleEq(std::log(3.0))));
}

TEST(ElementwiseGradient, KeepsTheInputsDType) {
  // f16 + f32 is f32; the gradient of the f16 input is f16 again.
  ReferenceInvoker invoker(&Registry());
  const OpDef* op = Registry().Find("mul");
  const std::vector<Tensor> inputs = {Make(DType::kF16, {1, 2}), Make(DType::kF32, {3})};
  const TensorList outputs = invoker.Invoke("mul", inputs, {}, nullptr).value();
  const AttributeMap none;
  VjpContext context(none, inputs, outputs, outputs, ~uint64_t{0}, invoker);
  const TensorList grads = op->vjp(context).value();
  EXPECT_EQ(grads[0].spec().ToString(), "f16[2]");
  EXPECT_EQ(grads[1].spec().ToString(), "f32[1]");
}

TEST(ElementwiseGradient, NoneWhereNoneFlows) {
  EXPECT_TRUE(FirstGradient("stop_gradient", {F64({1})}).empty());
  EXPECT_TRUE(FirstGradient("cast", {F64({1})}, {{"dtype", DType::kI32}}).empty());
  for (const char* op : {"floor", "ceil", "round", "trunc", "sign", "floor_div", "equal", "less",
                         "logical_and", "isnan", "stop_gradient"}) {
    EXPECT_FALSE(Registry().Find(op)->traits.differentiable) << op;
  }
  // Only wanted ones are calculated.
  ReferenceInvoker invoker(&Registry());
  const std::vector<Tensor> inputs = {F64({1}), F64({2})};
  const TensorList outputs = invoker.Invoke("mul", inputs, {}, nullptr).value();
  const AttributeMap none;
  VjpContext context(none, inputs, outputs, outputs, 2, invoker);
  const TensorList grads = Registry().Find("mul")->vjp(context).value();
  EXPECT_FALSE(grads[0].defined());
  EXPECT_TRUE(grads[1].defined());
}

TEST(ElementwiseGradient, MasksAreTight) {
  const std::map<std::string, std::pair<uint64_t, uint64_t>> expected = {
      {"add", {0, 0}},     {"sub", {0, 0}},   {"mul", {3, 0}},  {"div", {2, 1}},  {"relu", {0, 1}},
      {"sigmoid", {0, 1}}, {"tanh", {0, 1}},  {"exp", {0, 1}},  {"sqrt", {0, 1}}, {"log", {1, 0}},
      {"neg", {0, 0}},     {"where", {1, 0}}, {"cast", {0, 0}},
  };
  for (const auto& [name, masks] : expected) {
    EXPECT_EQ(Registry().Find(name)->vjp_inputs, masks.first) << name;
    EXPECT_EQ(Registry().Find(name)->vjp_outputs, masks.second) << name;
  }
}

}  // namespace
}  // namespace tandem
