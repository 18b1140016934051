#include "tandem/graph/passes/rewriter.h"

#include "gmock/gmock.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {
namespace {

using testing::HasSubstr;

class RewriterTest : public GraphFixture {
 protected:
  const Graph graph_ =
      Parse(R"(graph @g(%x: f32[2] argument, %s: f32[2] state) -> (f32[2] "y") random_blocks=2 {
  %c0 = constant dense<[1.0, 2.0]> : f32[2]
  %3 = add(%x, %c0) : f32[2] in "net0" at "net.cc:1"
  %4 = sum(%3) : f32[]
  %5 = exp(%3) : f32[2]
  update %s = %3
  return %5
}
)");
};

TEST_F(RewriterTest, CopiesEverything) {
  auto rewriter = GraphRewriter::Create(graph_);
  ASSERT_TRUE(rewriter.ok());
  for (const Node& node : graph_.nodes()) ASSERT_TRUE(rewriter->Copy(node).ok());
  const auto copy = rewriter->Finish();
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(PrintGraph(*copy), PrintGraph(graph_));
}

TEST_F(RewriterTest, ReplacesAndDropsUnusedConstants) {
  auto rewriter = GraphRewriter::Create(graph_);
  ASSERT_TRUE(rewriter.ok());
  ASSERT_TRUE(rewriter->Replace(3, graph_.inputs()[0].value).ok());
  ASSERT_TRUE(rewriter->Copy(graph_.nodes()[2]).ok());
  const auto result = rewriter->Finish();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(PrintGraph(*result),
            "graph @g(%x: f32[2] argument, %s: f32[2] state) -> (f32[2] \"y\") random_blocks=2 {\n"
            "  %2 = exp(%x) : f32[2]\n"
            "  update %s = %x\n"
            "  return %2\n}\n");
}

TEST_F(RewriterTest, FindsMistakes) {
  auto rewriter = GraphRewriter::Create(graph_);
  ASSERT_TRUE(rewriter.ok());
  EXPECT_THAT(std::string(rewriter->Map(3).status().message()), HasSubstr("%3 is used but"));
  EXPECT_FALSE(rewriter->Map(99).ok());
  EXPECT_FALSE(rewriter->Copy(graph_.nodes()[1]).ok());
  const absl::Status spec = rewriter->Replace(4, graph_.inputs()[0].value);
  EXPECT_THAT(std::string(spec.message()), HasSubstr("f32[]"));
  EXPECT_THAT(std::string(spec.message()), HasSubstr("f32[2]"));
  EXPECT_EQ(rewriter->Finish().status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace tandem
