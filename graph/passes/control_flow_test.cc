#include "tandem/graph/passes/control_flow.h"

#include "gmock/gmock.h"
#include "tandem/graph/passes/default_pipeline.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class SimplifyControlFlowTest : public PassFixture {
 protected:
  // The pass alone, without those that go over bodies.
  std::string Simplified(absl::string_view before) {
    return After(SimplifyControlFlow(PassPipeline(), PassPipeline()), before);
  }
};

TEST_F(SimplifyControlFlowTest, ABranchStandsForACondWithAKnownPredicate) {
  EXPECT_EQ(Simplified(R"(graph @g(%x: f32[2] argument, %w: f32[2] parameter) -> (f32[2] "y") {
  %2 = full() {shape=ints[], value=1.0, dtype=bool} : bool[]
  %3 = cond(%2, %x, %w) {then_body=(%0: f32[2], %1: f32[2]) { %2 = mul(%0, %1) : f32[2]; return %2 }, else_body=(%0: f32[2], %1: f32[2]) { %2 = sub(%0, %1) : f32[2]; return %2 }} : f32[2]
  return %3
}
)"),
            R"(graph @g(%x: f32[2] argument, %w: f32[2] parameter) -> (f32[2] "y") {
  %2 = full() {shape=ints[], value=1.0, dtype=bool} : bool[]
  %3 = mul(%x, %w) : f32[2]
  return %3
}
)");
  EXPECT_THAT(Changes(), Contains(HasSubstr("then_body stands for it")));
}

TEST_F(SimplifyControlFlowTest, WhatDoesNotChangeLeavesALoop) {
  EXPECT_EQ(Simplified(R"(graph @g(%x: f32[2] argument, %w: f32[2] parameter) -> (f32[2] "y") {
  %2 = scan(%x, %w) {body=(%0: f32[2], %1: f32[2]) { %2 = exp(%1) : f32[2]; %3 = mul(%0, %2) : f32[2]; return %3 }, num_carry=1, length=3} : f32[2]
  return %2
}
)"),
            R"(graph @g(%x: f32[2] argument, %w: f32[2] parameter) -> (f32[2] "y") {
  %2 = exp(%w) : f32[2]
  %3 = scan(%x, %2) {body=(%0: f32[2], %1: f32[2]) { %2 = mul(%0, %1) : f32[2]; return %2 }, num_carry=1, length=3} : f32[2]
  return %3
}
)");
  EXPECT_THAT(Changes(), Contains(HasSubstr("moved out")));
}

TEST_F(SimplifyControlFlowTest, ResultsThatNobodyUsesGo) {
  // The second carry is needed for the results only, of which one is used.
  EXPECT_EQ(Simplified(R"(graph @g(%x: f32[2] argument, %z: f32[3] argument) -> (f32[2] "y") {
  %2, %3, %4, %5 = scan(%x, %z) {body=(%0: f32[2], %1: f32[3]) { %2 = neg(%0) : f32[2]; %3 = exp(%1) : f32[3]; return %2, %3, %0, %1 }, num_carry=2, length=3} : f32[2], f32[3], f32[3,2], f32[3,3]
  return %2
}
)"),
            R"(graph @g(%x: f32[2] argument, %z: f32[3] argument) -> (f32[2] "y") {
  %2 = scan(%x) {body=(%0: f32[2]) { %1 = neg(%0) : f32[2]; return %1 }, num_carry=1, length=3} : f32[2]
  return %2
}
)");
  EXPECT_THAT(Changes(), Contains(HasSubstr("3 results are not used")));
}

TEST_F(SimplifyControlFlowTest, AWhileLoopForgetsItsStates) {
  EXPECT_EQ(Simplified(R"(graph @g(%x: f32[] argument) -> (f32[] "y") {
  %1, %2, %3 = while_loop(%x) {condition=(%0: f32[]) { return %0 }, body=(%0: f32[]) { %1 = neg(%0) : f32[]; return %1 }, max_iterations=4, keep_states=true} : f32[], f32[4], i64[]
  return %1
}
)"),
            R"(graph @g(%x: f32[] argument) -> (f32[] "y") {
  %1 = while_loop(%x) {condition=(%0: f32[]) { return %0 }, body=(%0: f32[]) { %1 = neg(%0) : f32[]; return %1 }, max_iterations=4} : f32[]
  return %1
}
)");
}

TEST_F(SimplifyControlFlowTest, AllPassesGoOverBodies) {
  const Graph graph = Parse(R"(graph @g(%p: bool[] argument, %x: f32[2] argument) -> (f32[2] "y") {
  %2 = cond(%p, %x) {then_body=(%0: f32[2]) { %1 = exp(%0) : f32[2]; %2 = exp(%0) : f32[2]; %3 = mul(%1, %2) : f32[2]; %4 = tanh(%0) : f32[2]; return %3 }, else_body=(%0: f32[2]) { %1 = reshape(%0) {shape=[2]} : f32[2]; return %1 }} : f32[2]
  return %2
}
)");
  const auto after = DefaultPipeline().Run(graph, context_);
  ASSERT_TRUE(after.ok()) << after.status();
  const std::string text = PrintGraph(*after);
  EXPECT_THAT(text, HasSubstr("fused("));
  EXPECT_THAT(text, Not(HasSubstr("tanh")));
  EXPECT_THAT(text, HasSubstr("else_body=(%0: f32[2]) { return %0 }"));
}

}  // namespace
}  // namespace tandem
