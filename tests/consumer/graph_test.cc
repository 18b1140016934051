// Uses graph/ir alone: graphs can be built without any backend.

#include "tandem/graph/ir/graph.h"

#include "gtest/gtest.h"

namespace {

TEST(GraphTest, NeedsNoBackend) {
  tandem::Graph graph("identity");
  absl::StatusOr<tandem::ValueId> x = graph.AddInput(
      "x", {tandem::DType::kF32, tandem::Shape{2, 3}}, tandem::InputKind::kArgument);
  ASSERT_TRUE(x.ok()) << x.status();
  EXPECT_TRUE(graph.AddOutput("y", *x).ok());
  EXPECT_EQ(graph.spec(*x).ToString(), "f32[2,3]");
}

}  // namespace
