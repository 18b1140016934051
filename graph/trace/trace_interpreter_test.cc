#include "tandem/graph/trace/trace_interpreter.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/core/ops/standard_ops.h"
#include "tandem/graph/trace/graph_builder.h"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TraceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(RegisterStandardOps(&OpRegistry::Global()).ok()); }

  Tensor Vector(std::vector<float> values) {
    const Shape shape = {static_cast<int64_t>(values.size())};
    return *Tensor::FromVector<float>(values, shape, device_);
  }
  static absl::StatusOr<Tensor> Op(absl::string_view name, std::vector<Tensor> inputs,
                                   std::vector<AttributeInit> attrs = {}) {
    InvokeOptions options;
    options.location_text = "net.cc:12";
    auto result = Invoke(name, inputs, attrs, options);
    if (!result.ok()) return result.status();
    return (*result)[0];
  }

  TestDevice device_;
};

// R30
TEST_F(TraceTest, RecordsOpsWithBlockAndLine) {
  TraceInterpreter trace("net");
  const Tensor x = *trace.AddArgument("data", {DType::kF32, {16, 10}}, &device_);
  Tensor y;
  {
    InterpreterScope scope(trace);
    BlockScope net("net0"), layer("relu1");
    y = *Op("relu", {x});
  }
  EXPECT_EQ(x.Describe(), "%data = argument : f32[16,10]");
  EXPECT_EQ(y.Describe(), "%1 = relu : f32[16,10]");
  EXPECT_EQ(y.device(), &device_);
  const auto traced = trace.Finish({{"output", y}});
  ASSERT_TRUE(traced.ok()) << traced.status();
  ASSERT_EQ(traced->graph.nodes().size(), 1);
  EXPECT_EQ(traced->graph.nodes()[0].block, "net0/relu1");
  EXPECT_EQ(traced->graph.nodes()[0].location, "net.cc:12");
  EXPECT_EQ(traced->bindings[0].argument, 0);
}

// R42
TEST_F(TraceTest, ReadingAValueNamesOpBlockLineAndRemedy) {
  TraceInterpreter trace("net", &device_);
  InterpreterScope scope(trace);
  BlockScope block("net0");
  const Tensor y = *Op("sum", {*trace.AddArgument("data", {DType::kF32, {3}})});
  for (const absl::Status& status : {y.Item<float>().status(), y.ToVector<float>().status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.ToString(), AllOf(HasSubstr("sum : f32[]"), HasSubstr("net0"),
                                         HasSubstr("net.cc:12"), HasSubstr("Where(condition, a, b)")));
  }
}

TEST_F(TraceTest, VariablesBecomeParametersAndStateOnce) {
  auto weight = MakeRef<Variable>("weight");
  auto mean = MakeRef<Variable>("mean");
  ASSERT_TRUE(weight->Set(Vector({1, 2})).ok());
  ASSERT_TRUE(mean->Set(Vector({0, 0})).ok());
  ASSERT_TRUE(AttachGrad(*weight).ok());
  TraceInterpreter trace("net");
  std::vector<Tensor> outputs;
  {
    InterpreterScope scope(trace);
    const Tensor w = *ReadVariable(*weight);
    EXPECT_EQ(w.symbol()->name(), (*ReadVariable(*weight)).symbol()->name());
    const Tensor first = *Op("add", {w, *ReadVariable(*mean)});
    ASSERT_TRUE(WriteVariable(*mean, first).ok());
    // A later read sees what was written; the last write wins.
    EXPECT_EQ((*ReadVariable(*mean)).symbol()->name(), first.symbol()->name());
    const Tensor second = *Op("neg", {*ReadVariable(*mean)});
    ASSERT_TRUE(WriteVariable(*mean, second).ok());
    EXPECT_THAT(WriteVariable(*mean, *Op("sum", {second})).ToString(),
                AllOf(HasSubstr("'mean'"), HasSubstr("f32[2]"), HasSubstr("f32[]")));
    outputs = {second};
  }
  const auto traced = trace.Finish({{"output", outputs[0]}});
  ASSERT_TRUE(traced.ok()) << traced.status();
  ASSERT_EQ(traced->graph.inputs().size(), 2);
  EXPECT_EQ(traced->graph.inputs()[0].name, "weight");
  EXPECT_EQ(traced->graph.inputs()[0].kind, InputKind::kParameter);
  EXPECT_EQ(traced->graph.inputs()[1].kind, InputKind::kState);
  EXPECT_EQ(traced->bindings[1].variable, mean);
  ASSERT_EQ(traced->graph.updates().size(), 1);
  EXPECT_EQ(traced->graph.updates()[0].input, 1);
  EXPECT_EQ(traced->graph.updates()[0].value, traced->graph.outputs()[0].value);
  // Nothing was written while it was traced.
  EXPECT_EQ(*mean->Get().ToVector<float>(), (std::vector<float>{0, 0}));
}

TEST_F(TraceTest, TensorsFromOutsideAreCapturedOnce) {
  const Tensor a = Vector({1}), b = Vector({2});
  TraceInterpreter trace("net");
  Tensor y;
  {
    InterpreterScope scope(trace);
    y = *Op("add", {*Op("add", {a, b}), *Op("mul", {a, a})});
  }
  const auto traced = trace.Finish({{"output", y}});
  ASSERT_TRUE(traced.ok());
  ASSERT_EQ(traced->graph.inputs().size(), 2);
  EXPECT_EQ(traced->graph.inputs()[0].name, "captured_0");
  EXPECT_EQ(traced->graph.inputs()[1].name, "captured_1");
  EXPECT_EQ(traced->bindings[0].tensor.impl(), a.impl());
  EXPECT_EQ(traced->device, &device_);
}

TEST_F(TraceTest, RandomDrawsShareOneStateAndAdvance) {
  TraceInterpreter trace("net");
  {
    InterpreterScope scope(trace);
    const RandomState first = *NextRandom(device_, 5);
    const RandomState second = *NextRandom(device_, 3);
    EXPECT_EQ(first.delta, 0);
    EXPECT_EQ(second.delta, 5);
    EXPECT_EQ(first.state.symbol()->name(), "%random_state");
    EXPECT_EQ(first.state.symbol()->name(), second.state.symbol()->name());
    EXPECT_FALSE(NextRandom(device_, -1).ok());
  }
  const auto traced = trace.Finish({});
  ASSERT_TRUE(traced.ok());
  EXPECT_EQ(traced->graph.random_blocks(), 8);
  EXPECT_EQ(traced->graph.inputs()[0].kind, InputKind::kRandomState);
}

TEST_F(TraceTest, SymbolsOfAnotherTraceAreRefused) {
  TraceInterpreter first("first", &device_);
  const Tensor a = *first.AddArgument("a", {DType::kF32, {2}});
  {
    TraceInterpreter second("second", &device_);
    const Tensor b = *second.AddArgument("b", {DType::kF32, {2}});
    InterpreterScope scope(second);
    EXPECT_THAT(Op("add", {a, b}).status().ToString(),
                AllOf(HasSubstr("%a"), HasSubstr("'first'"), HasSubstr("'second'")));
  }
  ASSERT_TRUE(first.Finish({{"a", a}}).ok());
  EXPECT_THAT(Op("neg", {a}).status().ToString(), HasSubstr("finished"));
  EXPECT_FALSE(first.Finish({}).ok());
}

TEST_F(TraceTest, OneDevice) {
  TestDevice other;
  TraceInterpreter trace("net", &device_);
  const Tensor there = *Tensor::FromVector<float>({1}, {1}, other);
  InterpreterScope scope(trace);
  EXPECT_THAT(Op("neg", {there}).status().ToString(), HasSubstr("a graph has one device"));
}

TEST_F(TraceTest, VariablesOfOneNameStayApart) {
  auto a = MakeRef<Variable>("w");
  auto b = MakeRef<Variable>("w");
  auto none = MakeRef<Variable>("none");
  ASSERT_TRUE(a->Set(Vector({1})).ok());
  ASSERT_TRUE(b->Set(Vector({1})).ok());
  TraceInterpreter trace("net");
  InterpreterScope scope(trace);
  EXPECT_EQ((*ReadVariable(*a)).symbol()->name(), "%w");
  EXPECT_EQ((*ReadVariable(*b)).symbol()->name(), "%w_1");
  EXPECT_THAT(ReadVariable(*none).status().ToString(), HasSubstr("'none' has no value"));
}

// R2
TEST_F(TraceTest, ABuilderRecordsWithoutAScope) {
  GraphBuilder builder("fancy");
  const Tensor a = *builder.Input("a", {DType::kF32, {}});
  const Tensor b = *builder.Input("b", {DType::kF32, {}});
  EXPECT_EQ(builder.Input("a", {DType::kF32, {}}).status().code(),
            absl::StatusCode::kAlreadyExists);
  const Tensor sum = *Op("add", {a, b});
  const auto traced = builder.Finish({{"sum", sum}});
  ASSERT_TRUE(traced.ok()) << traced.status();
  EXPECT_EQ(traced->graph.nodes().size(), 1);
  EXPECT_EQ(traced->graph.outputs()[0].name, "sum");
}

}  // namespace
}  // namespace tandem
