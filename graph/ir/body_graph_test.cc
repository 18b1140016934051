#include "tandem/graph/ir/body_graph.h"

#include "gmock/gmock.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {
namespace {

using testing::HasSubstr;

class BodyGraphTest : public GraphFixture {
 protected:
  Ref<const OpBody> Body() {
    const TensorSpec spec{DType::kF32, {4}};
    OpBody::Builder builder({spec, spec});
    const OpDef& split = Op("split");
    const int32_t halves = *builder.Add(split, Attrs(split, {{"sections", 2}}), {0});
    const int32_t sum = *builder.Add(Op("add"), AttributeMap(), {halves, halves + 1});
    return *builder.Finish({sum, 1});
  }
};

TEST_F(BodyGraphTest, ThereAndBack) {
  const Ref<const OpBody> body = Body();
  const auto graph = GraphOfBody(*body, "body");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(VerifyGraph(*graph), absl::OkStatus());
  EXPECT_EQ(PrintGraph(*graph),
            "graph @body(%in0: f32[4] argument, %in1: f32[4] argument) -> (f32[2] \"out0\", f32[4] "
            "\"out1\") {\n"
            "  %2, %3 = split(%in0) {sections=2} : f32[2], f32[2]\n"
            "  %4 = add(%2, %3) : f32[2]\n"
            "  return %4, %in1\n}\n");
  const auto again = BodyOfGraph(*graph, {{graph->inputs()[0].value}, {graph->inputs()[1].value}});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)->Equals(*body));
}

TEST_F(BodyGraphTest, ConstantsBecomeInputs) {
  const Graph graph = Parse(R"(graph @g(%x: f32[] argument) -> (f32[] "y") {
  %c0 = constant dense<[2.0]> : f32[]
  %2 = mul(%x, %c0) : f32[]
  return %2
}
)");
  const ValueId x = graph.inputs()[0].value;
  const ValueId c = graph.constants()[0].value;
  const auto body = BodyOfGraph(graph, {{x}, {-1, {DType::kI32, {7}}}, {c}});
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ((*body)->ToString(),
            "(%0: f32[], %1: i32[7], %2: f32[]) { %3 = mul(%0, %2) : f32[]; return %3 }");
  EXPECT_THAT(std::string(BodyOfGraph(graph, {{x}}).status().message()),
              HasSubstr("%c0 is not among the inputs"));
}

}  // namespace
}  // namespace tandem
