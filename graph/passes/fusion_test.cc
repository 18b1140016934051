#include "tandem/graph/passes/fusion.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

class FusionTest : public PassFixture {
 protected:
  const Graph graph_ = Parse(R"(graph @g(%x: f32[2,2] argument) -> (f32[2,2] "y") {
  %1 = exp(%x) : f32[2,2]
  %2 = matmul(%1, %x) : f32[2,2]
  %3 = neg(%2) : f32[2,2]
  return %3
})");
};

TEST_F(FusionTest, RewritesWhatWasFused) {
  FusionPlan plan(graph_, context_);
  ASSERT_TRUE(plan.can_fuse());
  EXPECT_EQ(plan.uses(1), 1);
  EXPECT_FALSE(plan.is_taken(1));
  EXPECT_TRUE(plan.Fuse({1, 2}));
  EXPECT_TRUE(plan.is_taken(1));
  EXPECT_FALSE(plan.is_taken(0));
  const auto after = plan.Rewrite();
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE(VerifyGraph(*after).ok());
  EXPECT_EQ(PrintGraph(*after), R"(graph @g(%x: f32[2,2] argument) -> (f32[2,2] "y") {
  %1 = exp(%x) : f32[2,2]
  %2 = fused(%1, %x) {body=(%0: f32[2,2], %1: f32[2,2]) { %2 = matmul(%0, %1) : f32[2,2]; %3 = neg(%2) : f32[2,2]; return %3 }} : f32[2,2]
  return %2
}
)");
}

TEST_F(FusionTest, TheLastLineThatIsKnownStays) {
  const Graph graph = Parse(R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
  %1 = exp(%x) : f32[2] in "net/a" at "net.cc:1"
  %2 = neg(%1) : f32[2] in "net/b" at "net.cc:2"
  %3 = abs(%2) : f32[2] in "net"
  return %3
})");
  FusionPlan plan(graph, context_);
  ASSERT_TRUE(plan.Fuse({0, 1, 2}));
  const Graph after = *plan.Rewrite();
  ASSERT_EQ(after.nodes().size(), 1);
  EXPECT_EQ(after.nodes()[0].block, "net/b");
  EXPECT_EQ(after.nodes()[0].location, "net.cc:2");
}

TEST_F(FusionTest, WithoutFusionsTheGraphIsTheSame) {
  context_.fuses = [](const OpDef&, const OpBody& body) { return body.steps().size() == 1; };
  FusionPlan plan(graph_, context_);
  EXPECT_TRUE(plan.TakesAlone(1));
  EXPECT_FALSE(plan.Fuse({1, 2}));
  EXPECT_FALSE(plan.is_taken(1));
  EXPECT_EQ(PrintGraph(*plan.Rewrite()), PrintGraph(graph_));
  context_.fuses = nullptr;
  EXPECT_FALSE(FusionPlan(graph_, context_).can_fuse());
  const OpRegistry none;
  context_.fuses = [](const OpDef&, const OpBody&) { return true; };
  context_.ops = &none;
  EXPECT_FALSE(FusionPlan(graph_, context_).can_fuse());
}

TEST_F(FusionTest, MemoryThatWouldLiveLonger) {
  const Graph graph = Parse(R"(graph @g(%x: f32[4] argument) -> (f32[4] "y") {
  %1 = exp(%x) : f32[4]
  %2 = neg(%x) : f32[4]
  %3 = add(%1, %2) : f32[4]
  %4 = add(%1, %3) : f32[4]
  %5 = exp(%x) : f32[4]
  %6 = mul(%3, %5) : f32[4]
  %7 = sub(%4, %6) : f32[4]
  return %7
})");
  FusionPlan plan(graph, context_);
  // %3 reads %1, which is read later still, and %2, for itself.
  EXPECT_TRUE(plan.KeepsMemory(2, {5, 6}));
  // %4 is the last to read %1; %3 lives on for %6.
  EXPECT_TRUE(plan.KeepsMemory(3, {6}));
  // %6 is the last to read %3 and %5, but nothing is computed between it and %7.
  EXPECT_TRUE(plan.KeepsMemory(5, {6}));
  EXPECT_FALSE(FusionPlan(Parse(R"(graph @g(%x: f32[4] argument) -> (f32[4] "y") {
  %1 = exp(%x) : f32[4]
  %2 = neg(%x) : f32[4]
  %3 = add(%1, %2) : f32[4]
  %4 = softmax(%x) : f32[4]
  %5 = add(%3, %4) : f32[4]
  return %5
})"),
                          context_)
                   .KeepsMemory(2, {4}));
}

}  // namespace
}  // namespace tandem
