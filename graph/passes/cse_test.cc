#include "tandem/graph/passes/cse.h"

#include "gmock/gmock.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;

class CseTest : public PassFixture {};

TEST_F(CseTest, MergesRepeatedNodesAndTheirUsers) {
  EXPECT_EQ(After(CommonSubexpressions(),
                  R"(graph @g(%x: f32[2] argument, %y: f32[2] argument) -> (f32[2] "out") {
  %2 = add(%x, %y) : f32[2]
  %3 = add(%y, %x) : f32[2]
  %4 = exp(%2) : f32[2]
  %5 = exp(%3) : f32[2]
  %6 = mul(%4, %5) : f32[2]
  return %6
}
)"),
            R"(graph @g(%x: f32[2] argument, %y: f32[2] argument) -> (f32[2] "out") {
  %2 = add(%x, %y) : f32[2]
  %3 = exp(%2) : f32[2]
  %4 = mul(%3, %3) : f32[2]
  return %4
}
)");
  EXPECT_THAT(Changes(), ElementsAre("%3 = add: repeats %2", "%5 = exp: repeats %4"));
}

TEST_F(CseTest, KeepsWhatDiffers) {
  const std::string text =
      R"(graph @g(%x: f32[2,2] argument, %y: f32[2,2] argument) -> (f32[2,2] "a", f32[2,2] "b", f32[2] "c", f32[2] "d") {
  %2 = sub(%x, %y) : f32[2,2]
  %3 = sub(%y, %x) : f32[2,2]
  %4 = sum(%x) {axes=[0]} : f32[2]
  %5 = sum(%x) {axes=[1]} : f32[2]
  return %2, %3, %4, %5
}
)";
  EXPECT_EQ(After(CommonSubexpressions(), text), text);
}

// A draw is a function of the state and delta: the same delta draws the same numbers (R20).
TEST_F(CseTest, MergesDrawsOnlyWithTheSameDelta) {
  EXPECT_EQ(
      After(
          CommonSubexpressions(),
          R"(graph @g(%x: f32[4] argument, %rng: i64[2] random_state) -> (f32[4] "a", f32[4] "b", f32[4] "c") random_blocks=2 {
  %2 = dropout(%x, %rng) : f32[4]
  %3 = dropout(%x, %rng) {delta=1} : f32[4]
  %4 = dropout(%x, %rng) : f32[4]
  return %2, %3, %4
}
)"),
      R"(graph @g(%x: f32[4] argument, %rng: i64[2] random_state) -> (f32[4] "a", f32[4] "b", f32[4] "c") random_blocks=2 {
  %2 = dropout(%x, %rng) : f32[4]
  %3 = dropout(%x, %rng) {delta=1} : f32[4]
  return %2, %3, %2
}
)");
}

TEST_F(CseTest, MergesAllOutputsOfANode) {
  EXPECT_EQ(After(CommonSubexpressions(),
                  R"(graph @g(%x: f32[4] argument) -> (f32[2] "a", f32[2] "b") {
  %1, %2 = split(%x) {sections=2} : f32[2], f32[2]
  %3, %4 = split(%x) {sections=2} : f32[2], f32[2]
  return %1, %4
}
)"),
            R"(graph @g(%x: f32[4] argument) -> (f32[2] "a", f32[2] "b") {
  %1, %2 = split(%x) {sections=2} : f32[2], f32[2]
  return %1, %2
}
)");
}

// -0.0 == 0.0, but they are other bits.
TEST_F(CseTest, TellsZerosApart) {
  const std::string text =
      "graph @g() -> (f32[] \"a\", f32[] \"b\") {\n"
      "  %0 = full() {shape=ints[], value=0.0} : f32[]\n"
      "  %1 = full() {shape=ints[], value=-0.0} : f32[]\n"
      "  return %0, %1\n}\n";
  EXPECT_EQ(After(CommonSubexpressions(), text), text);
}

}  // namespace
}  // namespace tandem
