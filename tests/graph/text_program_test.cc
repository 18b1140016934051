// A program as text on a real device: parsed, run op by op, compiled, run again (R3), folded (R4).

#include "tandem/graph/compile/optimize.h"
#include "tandem/graph/ir/text.h"
#include "tandem/graph/ir/verifier.h"
#include "tandem/tests/graph/hybrid_fixture.h"

namespace tandem {
namespace {

using testing::HasSubstr;

class TextProgramTest : public HybridFixture {
 protected:
  Graph Parse(absl::string_view text) {
    auto graph = ParseGraph(text, OpRegistry::Global(), device_);
    EXPECT_TRUE(graph.ok()) << graph.status();
    return graph.ok() ? *std::move(graph) : Graph();
  }
  Graph Optimize(const Graph& graph) {
    auto optimized = OptimizeGraph(graph, *device_);
    EXPECT_TRUE(optimized.ok()) << optimized.status();
    if (!optimized.ok()) return Graph();
    EXPECT_TRUE(VerifyGraph(optimized->graph).ok());
    return optimized->graph;
  }
};

TEST_F(TextProgramTest, IsParsedAndRun) {  // R3
  const Graph graph = Parse(R"(
      graph @mlp(%x: f32[2,3] argument, %w: f32[4,3] parameter) -> (f32[2,4] "y", f32[2] "z") {
        %h = matmul(%x, %w) {transpose_b=true} : f32[2,4] in "mlp0/dense0" at "mlp.cc:3"
        %same = identity(%h) : f32[2,4]
        %c = constant dense<[0.5, -0.5, 1.0, 0.0]> : f32[4]
        %two = full() {shape=[4], value=2.0} : f32[4]
        %scale = mul(%c, %two) : f32[4]
        %unused = exp(%h) : f32[2,4]
        %y = mul(%same, %scale) : f32[2,4]
        %again = mul(%scale, %h) : f32[2,4]
        %z = sum(%again) {axes=[1]} : f32[2]
        return %y, %z
      })");
  const std::vector<Tensor> inputs = {Random({2, 3}), Random({4, 3})};
  const auto expected = InterpretGraph(graph, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();

  const Graph optimized = Optimize(graph);
  // matmul with the product, which is there once, and the sum.
  ASSERT_EQ(optimized.nodes().size(), 2) << PrintGraph(optimized);
  EXPECT_EQ(optimized.nodes()[0].op->name, "fused");
  EXPECT_EQ(optimized.nodes()[0].location, "mlp.cc:3");
  const auto actual = InterpretGraph(optimized, inputs);
  ASSERT_TRUE(actual.ok()) << actual.status();
  for (int i = 0; i < 2; ++i) ExpectSameBits((*actual)[i], (*expected)[i]);

  // Printed and parsed again it is the same program.
  const auto reparsed = InterpretGraph(Parse(PrintGraph(optimized)), inputs);
  ASSERT_TRUE(reparsed.ok()) << reparsed.status();
  for (int i = 0; i < 2; ++i) ExpectSameBits((*reparsed)[i], (*expected)[i]);
}

TEST_F(TextProgramTest, OnePlusTwoPlusThreePlusFourFoldsToTen) {  // R4
  const Graph graph = Parse(R"(graph @fancy_func() -> (f32[] "e") {
        %a = full() {shape=ints[], value=1.0} : f32[]
        %b = full() {shape=ints[], value=2.0} : f32[]
        %c = full() {shape=ints[], value=3.0} : f32[]
        %d = full() {shape=ints[], value=4.0} : f32[]
        %e = add(%a, %b) : f32[]
        %f = add(%c, %d) : f32[]
        %g = add(%e, %f) : f32[]
        return %g
      })");
  EXPECT_EQ(PrintGraph(Optimize(graph)),
            "graph @fancy_func() -> (f32[] \"e\") {\n"
            "  %c0 = constant dense<[10.0]> : f32[]\n"
            "  return %c0\n}\n");
}

TEST_F(TextProgramTest, ErrorsOfAnInterpretedGraphNameBlockAndLine) {
  const Graph graph = Parse(R"(
      graph @g(%x: f32[2] argument, %y: f32[2] argument) -> (f32[2] "z") {
        %z = add(%x, %y) : f32[2] in "net0/sum0" at "net.cc:42"
        return %z
      })");
  const auto result = InterpretGraph(graph, {Random({2}), Random({3})});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("net0/sum0"));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("net.cc:42"));
}

}  // namespace
}  // namespace tandem
