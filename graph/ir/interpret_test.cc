#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tandem/core/dispatch/interpreter.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Writes down what it is asked for; results have the inferred spec and no meaning.
class Recorder : public Interpreter {
 public:
  absl::StatusOr<TensorList> Invoke(const OpDef& op, absl::Span<const Tensor> inputs,
                                    const AttributeMap& attrs,
                                    const InvokeOptions& options) override {
    calls.push_back(absl::StrCat(op.name, attrs.ToString(), " in ", CurrentBlockPath(), " at ",
                                 options.LocationString()));
    auto specs = InferSpecs(op, attrs, inputs);
    if (!specs.ok()) return specs.status();
    TensorList outputs;
    for (const TensorSpec& spec : *specs) outputs.push_back(*Tensor::Empty(spec, *options.device));
    bytes_in_use.push_back(options.device->allocator().stats().bytes_in_use);
    return outputs;
  }
  absl::StatusOr<TensorList> Call(Callable&, absl::Span<const Tensor>) override {
    return absl::UnimplementedError("Call");
  }
  absl::StatusOr<Tensor> Read(Variable&) override { return absl::UnimplementedError("Read"); }
  absl::Status Write(Variable&, const Tensor&) override {
    return absl::UnimplementedError("Write");
  }
  absl::StatusOr<RandomState> NextRandom(Device&, int64_t) override {
    return absl::UnimplementedError("a graph's random state is an input");
  }

  std::vector<std::string> calls;
  std::vector<int64_t> bytes_in_use;
};

class InterpretTest : public GraphFixture {
 protected:
  absl::StatusOr<TensorList> Interpret(const Graph& graph, absl::Span<const Tensor> inputs) {
    InterpreterScope scope(recorder_);
    return InterpretGraph(graph, inputs);
  }

  Recorder recorder_;
};

TEST_F(InterpretTest, KeepsBlocksLinesAndAttributes) {
  const Graph graph = Parse(
      R"(graph @g(%x: f32[2] argument, %rng: i64[2] random_state, %s: f32[2] state) -> (f32[2] "y") random_blocks=9 {
        %3 = exp(%x) : f32[2] in "net0/dense0" at "net.cc:12"
        %4 = dropout(%3, %rng) {rate=0.25, delta=8} : f32[2]
        update %s = %3
        return %4
      })");
  BlockScope outer("outer");
  const auto results = Interpret(graph, {*Tensor::FromVector<float>({1, 2}, {2}, device_),
                                         *Tensor::FromVector<int64_t>({1, 2}, {2}, device_),
                                         *Tensor::FromVector<float>({1, 2}, {2}, device_)});
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(results->size(), 2);  // the output, and the value of the update
  EXPECT_THAT(recorder_.calls, ElementsAre("exp in outer/net0/dense0 at net.cc:12",
                                           "dropout{rate=0.25, delta=8} in outer at "));
}

TEST_F(InterpretTest, InfersShapesAnew) {
  const Graph graph =
      Parse("graph @g(%x: f32[2] argument) -> (f32[2] \"y\") { %1 = exp(%x) : f32[2] return %1 }");
  const auto results = Interpret(graph, {*Tensor::FromVector<float>({1, 2, 3}, {3}, device_)});
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ((*results)[0].shape(), Shape({3}));
}

TEST_F(InterpretTest, ReleasesValuesAfterTheirLastUse) {  // R5
  std::string text = "graph @g(%x: f32[1024] argument) -> (f32[1024] \"y\") {\n";
  for (int i = 1; i <= 10; ++i) {
    absl::StrAppend(&text, "%", i, " = exp(%", i == 1 ? "x" : absl::StrCat(i - 1),
                    ") : f32[1024]\n");
  }
  const Graph graph = Parse(text + "return %10 }");
  const Tensor x = *Tensor::FromVector<float>(std::vector<float>(1024), {1024}, device_);
  ASSERT_TRUE(Interpret(graph, {x}).ok());
  // The argument, an input and an output of the node that runs.
  for (const int64_t bytes : recorder_.bytes_in_use) EXPECT_LE(bytes, 3 * 4096);
}

TEST_F(InterpretTest, RefusesWrongInputs) {
  const Graph graph = Parse("graph @g(%x: f32[2] argument) -> (f32[2] \"y\") { return %x }");
  EXPECT_THAT(std::string(Interpret(graph, {}).status().message()), HasSubstr("takes 1 inputs"));
  EXPECT_THAT(std::string(Interpret(graph, {Tensor()}).status().message()),
              HasSubstr("argument 'x' is undefined"));
}

}  // namespace
}  // namespace tandem
