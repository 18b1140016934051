#include "tandem/graph/ir/verifier.h"

#include "gmock/gmock.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {

// Breaks the rules that Graph's own functions keep.
class GraphTestPeer {
 public:
  static std::vector<Node>& nodes(Graph& graph) { return graph.nodes_; }
  static std::vector<ValueInfo>& values(Graph& graph) { return graph.values_; }
  static std::vector<GraphInput>& inputs(Graph& graph) { return graph.inputs_; }
  static std::vector<GraphOutput>& outputs(Graph& graph) { return graph.outputs_; }
  static std::vector<StateUpdate>& updates(Graph& graph) { return graph.updates_; }
  static std::vector<GraphConstant>& constants(Graph& graph) { return graph.constants_; }
};

namespace {

using testing::HasSubstr;

class VerifierTest : public GraphFixture {
 protected:
  VerifierTest()
      : graph_(Parse(R"(graph @g(%x: f32[2] argument, %s: f32[2] state) -> (f32[2] "y") {
              %c0 = constant dense<[1.0, 2.0]> : f32[2]
              %3 = add(%x, %c0) : f32[2]
              %4 = exp(%3) : f32[2]
              update %s = %3
              return %4
            })")) {}

  void ExpectInvalid(absl::string_view rule) {
    const absl::Status status = VerifyGraph(graph_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(rule)));
  }

  Graph graph_;
};

TEST_F(VerifierTest, AcceptsAGraph) { EXPECT_TRUE(VerifyGraph(graph_).ok()); }

TEST_F(VerifierTest, FindsAValueOutOfRange) {
  GraphTestPeer::nodes(graph_)[0].inputs[0] = 77;
  ExpectInvalid("uses value 77");
}

TEST_F(VerifierTest, FindsAUseBeforeTheDefinition) {
  GraphTestPeer::nodes(graph_)[0].inputs[0] = 4;
  ExpectInvalid("made later");
}

TEST_F(VerifierTest, FindsAWrongSpec) {
  GraphTestPeer::values(graph_)[4].spec.shape = {3};
  ExpectInvalid("%4 is f32[3], inference gives f32[2]");
}

TEST_F(VerifierTest, FindsTwoOrigins) {
  GraphTestPeer::nodes(graph_)[1].outputs[0] = 3;
  ExpectInvalid("two origins");
}

TEST_F(VerifierTest, FindsAWrongProducer) {
  GraphTestPeer::values(graph_)[4].node = 0;
  ExpectInvalid("node 0");
}

TEST_F(VerifierTest, FindsAnOrphan) {
  GraphTestPeer::values(graph_).push_back({{DType::kF32, {}}, -1, 0});
  ExpectInvalid("value 5 is no input");
}

TEST_F(VerifierTest, FindsDoubleNames) {
  GraphTestPeer::inputs(graph_)[1].name = "x";
  ExpectInvalid("two inputs are named 'x'");
}

TEST_F(VerifierTest, FindsBadOutputs) {
  GraphTestPeer::outputs(graph_).push_back({"z", 12});
  ExpectInvalid("no value 12");
  GraphTestPeer::outputs(graph_)[1] = {"y", 3};
  ExpectInvalid("two outputs are named 'y'");
}

TEST_F(VerifierTest, FindsBadUpdates) {
  GraphTestPeer::updates(graph_)[0].input = 0;
  ExpectInvalid("update is of argument");
  GraphTestPeer::updates(graph_) = {{1, 3}, {1, 4}};
  ExpectInvalid("updated twice");
  GraphTestPeer::updates(graph_) = {{8, 3}};
  ExpectInvalid("input 8");
}

TEST_F(VerifierTest, FindsAConstantOfAnotherSpec) {
  GraphTestPeer::constants(graph_)[0].tensor = *Tensor::Scalar(1.0f, device_);
  ExpectInvalid("its tensor f32[]");
}

TEST_F(VerifierTest, FindsNegativeRandomBlocks) {
  graph_.set_random_blocks(-1);
  ExpectInvalid("random_blocks");
}

}  // namespace
}  // namespace tandem
