#include "tandem/graph/passes/fuse_elementwise.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FuseElementwiseTest : public PassFixture {
 protected:
  std::string Fused(absl::string_view before) { return After(FuseElementwise(), before); }
  // The graph, as it is printed, stays as it is.
  void ExpectUnchanged(const std::string& text) {
    EXPECT_EQ(Fused(text), text);
    EXPECT_THAT(Changes(), IsEmpty());
  }
};

TEST_F(FuseElementwiseTest, AChainBecomesOneNode) {
  EXPECT_EQ(Fused(R"(graph @g(%x: f32[8,256] argument, %b: f32[256] parameter) -> (f32[8,256] "y") {
  %2 = add(%x, %b) : f32[8,256] in "net/dense0" at "net.cc:7"
  %3 = relu(%2) : f32[8,256] in "net" at "net.cc:8"
  return %3
})"),
            R"(graph @g(%x: f32[8,256] argument, %b: f32[256] parameter) -> (f32[8,256] "y") {
  %2 = fused(%x, %b) {body=(%0: f32[8,256], %1: f32[256]) { %2 = add(%0, %1) : f32[8,256]; %3 = relu(%2) : f32[8,256]; return %3 }} : f32[8,256] in "net" at "net.cc:8"
  return %2
}
)");
  EXPECT_THAT(Changes(), ElementsAre("%3 = relu at net.cc:8: one with %2 = add at net.cc:7"));
}

// A diamond, an input that is used twice, and dtypes that change on the way.
TEST_F(FuseElementwiseTest, AllUsesMayBeInside) {
  EXPECT_EQ(Fused(R"(graph @g(%x: f16[3] argument, %s: i32[] argument) -> (bool[3] "y") {
  %2 = exp(%x) : f16[3]
  %3 = neg(%2) : f16[3]
  %4 = mul(%2, %s) : f16[3]
  %5 = less(%3, %4) : bool[3]
  return %5
})"),
            R"(graph @g(%x: f16[3] argument, %s: i32[] argument) -> (bool[3] "y") {
  %2 = fused(%x, %s) {body=(%0: f16[3], %1: i32[]) { %2 = exp(%0) : f16[3]; %3 = neg(%2) : f16[3]; %4 = mul(%2, %1) : f16[3]; %5 = less(%3, %4) : bool[3]; return %5 }} : bool[3]
  return %2
}
)");
}

TEST_F(FuseElementwiseTest, WhatOthersReadIsAResultOfItsOwn) {
  // Output, update, node of another kind.
  EXPECT_EQ(
      Fused(
          R"(graph @g(%x: f32[2] argument, %s: f32[2] state) -> (f32[2] "a", f32[2] "b", f32[] "c") {
  %2 = exp(%x) : f32[2]
  %3 = neg(%2) : f32[2]
  %4 = exp(%3) : f32[2]
  %5 = neg(%4) : f32[2]
  %6 = exp(%5) : f32[2]
  %7 = neg(%6) : f32[2]
  %8 = sum(%7) : f32[]
  %9 = abs(%7) : f32[2]
  update %s = %4
  return %2, %9, %8
})"),
      R"(graph @g(%x: f32[2] argument, %s: f32[2] state) -> (f32[2] "a", f32[2] "b", f32[] "c") {
  %2 = exp(%x) : f32[2]
  %3 = fused(%2) {body=(%0: f32[2]) { %1 = neg(%0) : f32[2]; %2 = exp(%1) : f32[2]; return %2 }} : f32[2]
  %4 = fused(%3) {body=(%0: f32[2]) { %1 = neg(%0) : f32[2]; %2 = exp(%1) : f32[2]; %3 = neg(%2) : f32[2]; return %3 }} : f32[2]
  %5 = sum(%4) : f32[]
  %6 = abs(%4) : f32[2]
  update %s = %3
  return %2, %6, %5
}
)");
}

TEST_F(FuseElementwiseTest, LeavesWhatWouldBeComputedAgainAndAgain) {
  ExpectUnchanged(R"(graph @g(%x: f32[1000,8] argument, %b: f32[8] parameter) -> (f32[1000,8] "y") {
  %2 = exp(%b) : f32[8]
  %3 = add(%x, %2) : f32[1000,8]
  return %3
}
)");
  ExpectUnchanged(R"(graph @g(%x: f32[0] argument) -> (f32[0] "y") {
  %1 = exp(%x) : f32[0]
  %2 = neg(%1) : f32[0]
  return %2
}
)");
}

// x and y would live until the end, where only their sum does now.
TEST_F(FuseElementwiseTest, DoesNotKeepMoreMemoryAlive) {
  const std::string late = R"(graph @g(%a: f32[64,64] argument) -> (f32[64,64] "y") {
  %1 = matmul(%a, %a) : f32[64,64]
  %2 = matmul(%a, %1) : f32[64,64]
  %3 = add(%1, %2) : f32[64,64]
  %4 = matmul(%a, %a) : f32[64,64]
  %5 = sub(%3, %4) : f32[64,64]
  return %5
}
)";
  ExpectUnchanged(late);
  // One input for one result, or inputs that live anyhow, are no loss.
  EXPECT_THAT(
      Fused(R"(graph @g(%a: f32[64,64] argument, %b: f32[64,64] argument) -> (f32[64,64] "y") {
  %2 = matmul(%a, %a) : f32[64,64]
  %3 = add(%b, %2) : f32[64,64]
  %4 = matmul(%a, %a) : f32[64,64]
  %5 = sub(%3, %4) : f32[64,64]
  return %5
})"),
      HasSubstr("fused(%b, %2, %3)"));
}

// Scalars are made just before each op that takes them; they must not cut the chain.
TEST_F(FuseElementwiseTest, ScalarsWeighNothing) {
  EXPECT_THAT(Fused(R"(graph @g(%x: f32[4096] argument) -> (f32[4096] "y") {
  %1 = full() {shape=ints[], value=1.5} : f32[]
  %2 = mul(%x, %1) : f32[4096]
  %3 = full() {shape=ints[], value=0.25} : f32[]
  %4 = add(%2, %3) : f32[4096]
  %5 = abs(%4) : f32[4096]
  %6 = full() {shape=ints[], value=0.75} : f32[]
  %7 = mul(%5, %6) : f32[4096]
  %8 = full() {shape=ints[], value=0.5} : f32[]
  %9 = sub(%7, %8) : f32[4096]
  return %9
})"),
              HasSubstr("{ %5 = mul(%0, %1) : f32[4096]; %6 = add(%5, %2) : f32[4096]; "
                        "%7 = abs(%6) : f32[4096]; %8 = mul(%7, %3) : f32[4096]; "
                        "%9 = sub(%8, %4) : f32[4096]; return %9 }"));
}

TEST_F(FuseElementwiseTest, GroupsAreBounded) {
  std::string chain = "graph @g(%x: f32[2] argument) -> (f32[2] \"y\") {\n";
  for (int i = 1; i <= 100; ++i) {
    absl::StrAppend(&chain, "  %", i, " = exp(", i == 1 ? "%x" : absl::StrCat("%", i - 1),
                    ") : f32[2]\n");
  }
  const Graph after = Parse(Fused(chain + "  return %100\n}\n"));
  ASSERT_EQ(after.nodes().size(), 3);
  for (const Node& node : after.nodes()) {
    EXPECT_LE(BodyOf(*node.op, node.attrs)->steps().size(), 48);
  }
  // A sum of 40 inputs.
  std::string header = "graph @g(%x0: f32[2] argument";
  std::string sum;
  for (int i = 1; i < 40; ++i) {
    absl::StrAppend(&header, ", %x", i, ": f32[2] argument");
    absl::StrAppend(&sum, "  %", 39 + i, " = add(%", i == 1 ? "x0" : absl::StrCat(38 + i), ", %x",
                    i, ") : f32[2]\n");
  }
  const Graph wide = Parse(Fused(header + ") -> (f32[2] \"y\") {\n" + sum + "  return %78\n}\n"));
  ASSERT_EQ(wide.nodes().size(), 3);
  for (const Node& node : wide.nodes()) EXPECT_LE(node.inputs.size(), 16);
}

TEST_F(FuseElementwiseTest, AsksTheDevice) {
  constexpr absl::string_view kText = R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
  %1 = exp(%x) : f32[2]
  %2 = neg(%1) : f32[2]
  %3 = tanh(%2) : f32[2]
  %4 = abs(%3) : f32[2]
  %5 = sqrt(%4) : f32[2]
  return %5
}
)";
  // tanh has a kernel of its own, with bits of its own.
  context_.fuses = [](const OpDef& fused, const OpBody& body) {
    EXPECT_EQ(fused.name, "fused");
    for (const OpBody::Step& step : body.steps()) {
      if (step.op->name == "tanh") return false;
    }
    return true;
  };
  EXPECT_EQ(Fused(kText), R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
  %1 = fused(%x) {body=(%0: f32[2]) { %1 = exp(%0) : f32[2]; %2 = neg(%1) : f32[2]; return %2 }} : f32[2]
  %2 = tanh(%1) : f32[2]
  %3 = fused(%2) {body=(%0: f32[2]) { %1 = abs(%0) : f32[2]; %2 = sqrt(%1) : f32[2]; return %2 }} : f32[2]
  return %3
}
)");
  context_.fuses = [](const OpDef&, const OpBody&) { return false; };
  ExpectUnchanged(std::string(kText));
  context_.fuses = nullptr;
  ExpectUnchanged(std::string(kText));
}

// Bodies do not nest: a fused node is taken apart when it grows.
TEST_F(FuseElementwiseTest, FusedNodesGrow) {
  EXPECT_EQ(Fused(R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
  %1 = fused(%x) {body=(%0: f32[2]) { %1 = exp(%0) : f32[2]; %2 = neg(%1) : f32[2]; return %2 }} : f32[2]
  %2 = mul(%1, %1) : f32[2]
  return %2
})"),
            R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
  %1 = fused(%x) {body=(%0: f32[2]) { %1 = exp(%0) : f32[2]; %2 = neg(%1) : f32[2]; %3 = mul(%2, %2) : f32[2]; return %3 }} : f32[2]
  return %1
}
)");
}

}  // namespace
}  // namespace tandem
