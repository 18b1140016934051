#include "tandem/graph/passes/pipeline.h"

#include "gmock/gmock.h"
#include "tandem/graph/passes/dead_code.h"
#include "tandem/graph/passes/default_pipeline.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// Gives whatever a test wants.
class FakePass final : public Pass {
 public:
  using Fn = std::function<absl::StatusOr<Graph>(const Graph&, PassContext&)>;
  explicit FakePass(Fn fn) : fn_(std::move(fn)) {}
  absl::string_view name() const override { return "fake"; }
  absl::string_view description() const override { return "for tests"; }
  absl::StatusOr<Graph> Run(const Graph& graph, PassContext& context) const override {
    return fn_(graph, context);
  }

 private:
  Fn fn_;
};

class PipelineTest : public PassFixture {
 protected:
  absl::StatusOr<Graph> RunFake(FakePass::Fn fn) {
    PassPipeline pipeline;
    pipeline.Add(std::make_shared<FakePass>(std::move(fn)));
    return pipeline.Run(graph_, context_);
  }
  const Graph graph_ =
      Parse("graph @g(%x: f32[2] argument) -> (f32[2] \"y\") { %1 = exp(%x) : f32[2] return %x }");
};

// R4: the constant is 10, however the graph got to it.
TEST_F(PipelineTest, OnePlusTwoPlusThreePlusFourIsTen) {
  const Graph graph = Parse(R"(graph @fancy_func() -> (f32[] "e") {
    %0 = full() {shape=ints[], value=1.0} : f32[]
    %1 = full() {shape=ints[], value=2.0} : f32[]
    %2 = full() {shape=ints[], value=3.0} : f32[]
    %3 = full() {shape=ints[], value=4.0} : f32[]
    %4 = add(%0, %1) : f32[]
    %5 = add(%2, %3) : f32[]
    %6 = add(%4, %5) : f32[]
    return %6
  })");
  const auto optimized = DefaultPipeline().Run(graph, context_);
  ASSERT_TRUE(optimized.ok()) << optimized.status();
  EXPECT_EQ(PrintGraph(*optimized),
            "graph @fancy_func() -> (f32[] \"e\") {\n"
            "  %c0 = constant dense<[10.0]> : f32[]\n"
            "  return %c0\n}\n");
}

TEST_F(PipelineTest, RecordsWhatEachPassDid) {
  const auto optimized = DefaultPipeline().Run(graph_, context_);
  ASSERT_TRUE(optimized.ok()) << optimized.status();
  ASSERT_THAT(context_.records(), SizeIs(7));
  const PassRecord& dead_code = context_.records()[4];
  EXPECT_EQ(dead_code.pass, "dead_code");
  EXPECT_EQ(dead_code.nodes_before, 1);
  EXPECT_EQ(dead_code.nodes_after, 0);
  EXPECT_THAT(dead_code.changes, ElementsAre("%1 = exp: nobody uses it, removed"));
  EXPECT_GE(dead_code.milliseconds, 0);
  EXPECT_TRUE(context_.records()[0].changes.empty());
}

TEST_F(PipelineTest, CanBeConfiguredAndPrinted) {
  PassPipeline pipeline = DefaultPipeline();
  EXPECT_EQ(pipeline.Remove("cse"), 1);
  EXPECT_EQ(pipeline.Remove("cse"), 0);
  EXPECT_TRUE(pipeline.InsertBefore("constant_fold", std::make_shared<DeadCode>()));
  EXPECT_FALSE(pipeline.InsertBefore("nothing", std::make_shared<DeadCode>()));
  EXPECT_EQ(pipeline.ToString(),
            "identity_elimination: removes ops that give their input unchanged\n"
            "dead_code: removes nodes that no output and no state update needs\n"
            "constant_fold: evaluates what depends on constants only\n"
            "control_flow: optimizes bodies, and moves out what need not be in them\n"
            "dead_code: removes nodes that no output and no state update needs\n"
            "fuse_elementwise: makes one node of elementwise ones that feed each other\n"
            "fuse_epilogue: makes one node of an op and the elementwise work on its result\n");
}

TEST_F(PipelineTest, AFailingPassIsNamed) {
  const auto result = RunFake([](const Graph&, PassContext&) -> absl::StatusOr<Graph> {
    return absl::ResourceExhaustedError("too large");
  });
  EXPECT_EQ(result.status(), absl::ResourceExhaustedError("pass fake: too large"));
}

TEST_F(PipelineTest, APassMustKeepTheInterface) {
  const auto no_outputs = RunFake([](const Graph& graph, PassContext&) -> absl::StatusOr<Graph> {
    Graph result;
    TANDEM_RETURN_IF_ERROR(result.AddInput("x", graph.spec(0), InputKind::kArgument).status());
    return result;
  });
  EXPECT_THAT(std::string(no_outputs.status().message()), HasSubstr("changed the graph's outputs"));
  const auto no_inputs =
      RunFake([](const Graph&, PassContext&) -> absl::StatusOr<Graph> { return Graph(); });
  EXPECT_THAT(std::string(no_inputs.status().message()), HasSubstr("changed the graph's inputs"));
  const auto random = RunFake([](const Graph& graph, PassContext&) -> absl::StatusOr<Graph> {
    Graph result = graph;
    result.set_random_blocks(7);
    return result;
  });
  EXPECT_THAT(std::string(random.status().message()), HasSubstr("random blocks"));
}

TEST_F(PipelineTest, ManyChangesAreCounted) {
  ASSERT_TRUE(RunFake([](const Graph& graph, PassContext& context) -> absl::StatusOr<Graph> {
                for (int i = 0; i < PassContext::kMaxChanges + 5; ++i) context.Note("change");
                return graph;
              }).ok());
  EXPECT_THAT(Changes(), SizeIs(PassContext::kMaxChanges + 1));
  EXPECT_EQ(Changes().back(), "… and 5 more");
}

}  // namespace
}  // namespace tandem
