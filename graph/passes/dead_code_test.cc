#include "tandem/graph/passes/dead_code.h"

#include "gmock/gmock.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;

class DeadCodeTest : public PassFixture {};

TEST_F(DeadCodeTest, RemovesWhatNobodyNeeds) {  // R5
  EXPECT_EQ(
      After(
          DeadCode(),
          R"(graph @g(%x: f32[4] argument, %s: f32[4] state, %rng: i64[2] random_state) -> (f32[2] "y") random_blocks=3 {
  %c0 = constant dense<[1.0]> : f32[]
  %c1 = constant dense<[2.0]> : f32[]
  %5 = exp(%x) : f32[4]
  %6 = mul(%5, %c0) : f32[4]
  %7 = dropout(%6, %rng) : f32[4]
  %8, %9 = split(%x) {sections=2} : f32[2], f32[2]
  %10 = mul(%x, %c1) : f32[4]
  update %s = %10
  return %9
}
)"),
      R"(graph @g(%x: f32[4] argument, %s: f32[4] state, %rng: i64[2] random_state) -> (f32[2] "y") random_blocks=3 {
  %3, %4 = split(%x) {sections=2} : f32[2], f32[2]
  %c0 = constant dense<[2.0]> : f32[]
  %6 = mul(%x, %c0) : f32[4]
  update %s = %6
  return %4
}
)");
  EXPECT_THAT(Changes(),
              ElementsAre("%5 = exp: nobody uses it, removed", "%6 = mul: nobody uses it, removed",
                          "%7 = dropout: nobody uses it, removed"));
}

TEST_F(DeadCodeTest, KeepsAGraphThatNeedsAllOfItself) {
  const std::string text =
      "graph @g(%x: f32[2] argument, %unused: f32[2] parameter) -> (f32[2] \"y\") {\n"
      "  %2 = exp(%x) : f32[2] in \"net0\" at \"net.cc:3\"\n"
      "  return %2\n}\n";
  EXPECT_EQ(After(DeadCode(), text), text);
  EXPECT_TRUE(Changes().empty());
}

}  // namespace
}  // namespace tandem
