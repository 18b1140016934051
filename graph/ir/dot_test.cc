#include "tandem/graph/ir/dot.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::Not;

class DotTest : public GraphFixture {};

TEST_F(DotTest, DrawsNodesEdgesAndBlocks) {  // R7
  const std::string dot = GraphToDot(Parse(
      R"(graph @net(%x: f32[1,3] argument, %w: f32[2,3] parameter, %s: f32[1,2] state) -> (f32[1,2] "y") {
        %c0 = constant dense<[1.0, 2.0]> : f32[2]
        %4 = matmul(%x, %w) {transpose_b=true} : f32[1,2] in "net0/dense0" at "net.cc:1"
        %5 = add(%4, %c0) : f32[1,2] in "net0/dense0"
        %6 = exp(%5) : f32[1,2] in "net0"
        update %s = %5
        return %6
      })"));
  EXPECT_THAT(dot, HasSubstr("digraph \"net\" {"));
  EXPECT_THAT(dot, HasSubstr("in0 -> n0 [label=\"f32[1,3]\"];"));
  EXPECT_THAT(dot, HasSubstr("c0 -> n1 [label=\"f32[2]\"];"));
  EXPECT_THAT(dot, HasSubstr("n0 -> n1 [label=\"f32[1,2]\"];"));
  EXPECT_THAT(dot, HasSubstr("n2 -> out0"));
  EXPECT_THAT(dot, HasSubstr("n1 -> in2 [label=\"f32[1,2]\", style=dashed"));
  EXPECT_THAT(dot, HasSubstr("matmul\\n{transpose_b=true}"));
  EXPECT_THAT(dot, HasSubstr("tooltip=\"net.cc:1\""));
  // dense0's box stands in net0's.
  const size_t outer = dot.find("label=\"net0\"");
  const size_t inner = dot.find("label=\"dense0\"");
  ASSERT_NE(inner, std::string::npos);
  EXPECT_LT(outer, inner);
  EXPECT_EQ(std::count(dot.begin(), dot.end(), '{') - 1,
            std::count(dot.begin(), dot.end(), '}') - 1);
}

TEST_F(DotTest, EscapesWhatUsersNamed) {
  const std::string dot = GraphToDot(Parse(
      R"(graph @"a\"b"(%"x\"];": f32[] argument) -> (f32[] "o\\") {
        %1 = exp(%"x\"];") : f32[] in "b\"}"
        return %1
      })"));
  EXPECT_THAT(dot, HasSubstr("digraph \"a\\\"b\""));
  EXPECT_THAT(dot, HasSubstr("label=\"x\\\"];\\nargument\""));
  EXPECT_THAT(dot, HasSubstr("label=\"o\\\\\""));
  EXPECT_THAT(dot, HasSubstr("label=\"b\\\"}\""));
}

TEST_F(DotTest, OptionsLeaveThingsOut) {
  const Graph graph = Parse(
      R"(graph @g(%x: f32[2] argument) -> (f32[] "y") {
        %1 = sum(%x) {axes=[0]} : f32[] in "net0"
        return %1
      })");
  const std::string dot = GraphToDot(graph, {.types = false, .attributes = false, .blocks = false});
  EXPECT_THAT(dot, HasSubstr("in0 -> n0;"));
  EXPECT_THAT(dot, Not(HasSubstr("axes")));
  EXPECT_THAT(dot, Not(HasSubstr("cluster")));
}

TEST_F(DotTest, AFusedNodeListsItsSteps) {
  EXPECT_THAT(GraphToDot(Parse(
                  R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
        %1 = fused(%x) {body=(%0: f32[2]) { %1 = exp(%0) : f32[2]; %2 = neg(%1) : f32[2]; return %2 }} : f32[2]
        return %1
      })")),
              HasSubstr("label=\"fused\\nexp\\nneg\""));
}

TEST_F(DotTest, ControlFlowListsItsBodies) {
  EXPECT_THAT(GraphToDot(Parse(
                  R"(graph @g(%p: bool[] argument, %x: f32[2] argument) -> (f32[2] "y") {
        %2 = cond(%p, %x) {then_body=(%0: f32[2]) { %1 = exp(%0) : f32[2]; %2 = neg(%1) : f32[2]; return %2 }, else_body=(%0: f32[2]) { return %0 }} : f32[2]
        return %2
      })")),
              HasSubstr("label=\"cond\\nthen_body: exp, neg\\nelse_body: \""));
}

}  // namespace
}  // namespace tandem
