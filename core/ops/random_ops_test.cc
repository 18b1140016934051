#include "tandem/core/ops/random_ops.h"

#include <limits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

const OpRegistry& Registry() {
  static const OpRegistry* registry = [] {
    auto* r = new OpRegistry;
    EXPECT_TRUE(RegisterRandomOps(r).ok());
    return r;
  }();
  return *registry;
}

const TensorSpec kState = {DType::kI64, {2}};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string Inferred(absl::string_view name, const std::vector<TensorSpec>& inputs,
                     const std::vector<AttributeInit>& attrs) {
  const OpDef* op = Registry().Find(name);
  const auto map = AttributeMap::Create(op->attributes, attrs);
  if (!map.ok()) return std::string(map.status().message());
  std::vector<const TensorSpec*> pointers;
  for (const TensorSpec& input : inputs) pointers.push_back(&input);
  const auto specs = InferSpecs(*op, *map, pointers);
  return specs.ok() ? (*specs)[0].ToString() : std::string(specs.status().message());
}

TEST(RandomOps, Draws) {
  const AttributeInit shape = {"shape", Dims{2, 3}};
  for (const char* op : {"random_uniform", "random_normal", "random_bernoulli"}) {
    EXPECT_EQ(Inferred(op, {kState}, {shape}), "f32[2,3]");
    EXPECT_EQ(Inferred(op, {kState}, {shape, {"dtype", DType::kF16}}), "f16[2,3]");
    EXPECT_THAT(Inferred(op, {{DType::kI64, {3}}}, {shape}), HasSubstr("state must be i64[2]"));
    EXPECT_THAT(Inferred(op, {{DType::kF32, {2}}}, {shape}), HasSubstr("state must be i64[2]"));
    EXPECT_THAT(Inferred(op, {kState}, {shape, {"delta", -1}}), HasSubstr("delta"));
    EXPECT_THAT(Inferred(op, {kState}, {{"shape", Dims{-2}}}), HasSubstr("negative dimension"));
    EXPECT_FALSE(Registry().Find(op)->traits.differentiable);
  }
  EXPECT_THAT(Inferred("random_uniform", {kState}, {shape, {"dtype", DType::kI32}}),
              HasSubstr("draws floating-point numbers"));
  EXPECT_EQ(Inferred("random_bernoulli", {kState}, {shape, {"dtype", DType::kBool}}), "bool[2,3]");
  EXPECT_THAT(Inferred("random_uniform", {kState}, {shape, {"low", 2.0}, {"high", 1.0}}),
              HasSubstr("low not above high"));
  EXPECT_THAT(Inferred("random_normal", {kState}, {shape, {"stddev", -1.0}}), HasSubstr("stddev"));
  EXPECT_THAT(Inferred("random_normal", {kState}, {shape, {"mean", kNan}}), HasSubstr("finite"));
  EXPECT_THAT(Inferred("random_bernoulli", {kState}, {shape, {"p", 1.5}}), HasSubstr("[0, 1]"));
  EXPECT_THAT(Inferred("random_bernoulli", {kState}, {shape, {"p", kNan}}), HasSubstr("[0, 1]"));
}

TEST(RandomOps, Dropout) {
  const TensorSpec x{DType::kBF16, {4}};
  EXPECT_EQ(Inferred("dropout", {x, kState}, {}), "bf16[4]");
  EXPECT_THAT(Inferred("dropout", {x, kState}, {{"rate", 1.0}}), HasSubstr("[0, 1)"));
  EXPECT_THAT(Inferred("dropout", {x, kState}, {{"rate", kNan}}), HasSubstr("[0, 1)"));
  EXPECT_THAT(Inferred("dropout", {{DType::kI32, {4}}, kState}, {}), HasSubstr("floating point"));
  EXPECT_THAT(Inferred("dropout", {x, x}, {}), HasSubstr("state must be i64[2]"));
}

// Notes what the vjp invokes.
class Recorder : public Invoker {
 public:
  absl::StatusOr<TensorList> Invoke(absl::string_view op, absl::Span<const Tensor> inputs,
                                    absl::Span<const AttributeInit> attrs, Device*) override {
    calls.emplace_back(std::string(op), std::vector<AttributeInit>(attrs.begin(), attrs.end()));
    last_inputs.assign(inputs.begin(), inputs.end());
    return TensorList{inputs[0]};
  }
  std::vector<std::pair<std::string, std::vector<AttributeInit>>> calls;
  std::vector<Tensor> last_inputs;
};

TEST(RandomOps, DropoutsGradientDropsTheSameElements) {
  const OpDef* op = Registry().Find("dropout");
  const auto map = AttributeMap::Create(op->attributes, {{"rate", 0.25}, {"delta", 7}}).value();
  const auto symbol = [](const TensorSpec& spec) {
    return Tensor::Symbolic(spec, nullptr, Ref<Symbol>());
  };
  const std::vector<Tensor> inputs = {symbol({DType::kF32, {4}}), symbol(kState)};
  const std::vector<Tensor> grads = {symbol({DType::kF32, {4}})};
  Recorder recorder;
  VjpContext context(map, inputs, grads, grads, ~uint64_t{0}, recorder);
  const TensorList result = op->vjp(context).value();
  ASSERT_EQ(recorder.calls.size(), 1u);
  EXPECT_EQ(recorder.calls[0].first, "dropout");
  EXPECT_EQ(AttributeMap::Create(op->attributes, recorder.calls[0].second).value(), map);
  EXPECT_EQ(recorder.last_inputs[0].impl(), grads[0].impl());
  EXPECT_EQ(recorder.last_inputs[1].impl(), inputs[1].impl());
  EXPECT_TRUE(result[0].defined());
  EXPECT_FALSE(result[1].defined());
  EXPECT_EQ(op->vjp_inputs, 2u);  // the state
}

}  // namespace
}  // namespace tandem
