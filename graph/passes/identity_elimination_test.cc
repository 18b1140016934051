#include "tandem/graph/passes/identity_elimination.h"

#include "gmock/gmock.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;

class IdentityEliminationTest : public PassFixture {};

TEST_F(IdentityEliminationTest, RemovesWhatDoesNothing) {
  EXPECT_EQ(After(IdentityElimination(),
                  R"(graph @g(%x: f32[2,3] argument) -> (f32[2,3] "y") {
  %1 = neg(%x) : f32[2,3]
  %2 = identity(%1) : f32[2,3]
  %3 = cast(%2) {dtype=f32} : f32[2,3]
  %4 = reshape(%3) {shape=[2,3]} : f32[2,3]
  %5 = stop_gradient(%4) : f32[2,3]
  %6 = transpose(%5) {axes=[0,-1]} : f32[2,3]
  %7 = broadcast_to(%6) {shape=[2,3]} : f32[2,3]
  %8 = slice(%7) {begin=[0], end=[2]} : f32[2,3]
  %9 = concat(%8) : f32[2,3]
  %10 = squeeze(%9) : f32[2,3]
  %11 = exp(%10) : f32[2,3]
  return %11
}
)"),
            R"(graph @g(%x: f32[2,3] argument) -> (f32[2,3] "y") {
  %1 = neg(%x) : f32[2,3]
  %2 = exp(%1) : f32[2,3]
  return %2
}
)");
  EXPECT_EQ(Changes().size(), 9);
  EXPECT_EQ(Changes()[1], "%3 = cast: is %2");
}

TEST_F(IdentityEliminationTest, KeepsWhatMovesOrChangesElements) {
  const std::string text =
      R"(graph @g(%x: f32[2,2] argument) -> (f32[2,2] "a", f32[2,2] "b", f16[2,2] "c", f32[4] "d", f32[2,2] "e") {
  %1 = transpose(%x) : f32[2,2]
  %2 = slice(%x) {begin=[-1], end=[-3], strides=[-1]} : f32[2,2]
  %3 = cast(%x) {dtype=f16} : f16[2,2]
  %4 = reshape(%x) {shape=[4]} : f32[4]
  %5 = exp(%x) : f32[2,2]
  return %1, %2, %3, %4, %5
}
)";
  EXPECT_EQ(After(IdentityElimination(), text), text);
  EXPECT_TRUE(Changes().empty());
}

// Kernels may add up in another order where memory is strided, so that copy must stay.
TEST_F(IdentityEliminationTest, KeepsCopiesOfWhatMayBeStrided) {
  const std::string text =
      R"(graph @g(%x: f32[2,3] argument) -> (f32[3,2] "a", f32[2,3] "b", f32[3,2] "c") {
  %1 = transpose(%x) : f32[3,2]
  %2 = identity(%1) : f32[3,2]
  %3 = cast(%x) {dtype=f32} : f32[2,3]
  %4 = concat(%1) : f32[3,2]
  return %2, %3, %4
}
)";
  EXPECT_EQ(After(IdentityElimination(), text), text);
}

TEST_F(IdentityEliminationTest, ATransposeUndoesAnother) {
  EXPECT_EQ(After(IdentityElimination(),
                  R"(graph @g(%x: f32[2,3,4] argument) -> (f32[2,3,4] "a", f32[3,4,2] "b") {
  %1 = transpose(%x) {axes=[1,2,0]} : f32[3,4,2]
  %2 = transpose(%1) {axes=[2,0,1]} : f32[2,3,4]
  %3 = exp(%2) : f32[2,3,4]
  return %3, %1
}
)"),
            R"(graph @g(%x: f32[2,3,4] argument) -> (f32[2,3,4] "a", f32[3,4,2] "b") {
  %1 = transpose(%x) {axes=[1,2,0]} : f32[3,4,2]
  %2 = exp(%x) : f32[2,3,4]
  return %2, %1
}
)");
  // The same axes twice are not the inverse of a rotation.
  const std::string twice =
      "graph @g(%x: f32[2,2,2] argument) -> (f32[2,2,2] \"a\") {\n"
      "  %1 = transpose(%x) {axes=[1,2,0]} : f32[2,2,2]\n"
      "  %2 = transpose(%1) {axes=[1,2,0]} : f32[2,2,2]\n"
      "  return %2\n}\n";
  EXPECT_EQ(After(IdentityElimination(), twice), twice);
}

TEST_F(IdentityEliminationTest, KeepsStopGradientIfAsked) {
  const std::string text =
      "graph @g(%x: f32[2] argument) -> (f32[2] \"y\") {\n"
      "  %1 = stop_gradient(%x) : f32[2]\n"
      "  return %1\n}\n";
  EXPECT_EQ(After(IdentityElimination(/*keep_stop_gradient=*/true), text), text);
  EXPECT_EQ(After(IdentityElimination(), text),
            "graph @g(%x: f32[2] argument) -> (f32[2] \"y\") {\n  return %x\n}\n");
}

}  // namespace
}  // namespace tandem
