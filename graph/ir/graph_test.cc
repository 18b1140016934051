#include "tandem/graph/ir/graph.h"

#include "gmock/gmock.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class GraphTest : public GraphFixture {
 protected:
  const TensorSpec vector_{DType::kF32, {2}};
};

TEST_F(GraphTest, BuildsInOrder) {
  Graph graph("g");
  const ValueId a = *graph.AddInput("a", vector_, InputKind::kArgument);
  const ValueId constant = *graph.AddConstant(*Tensor::FromVector<float>({1, 2}, {2}, device_));
  const ValueIds sum = Add(graph, "add", {a, constant}, {}, "net0/dense0", "net.cc:7");
  ASSERT_TRUE(graph.AddOutput("y", sum[0]).ok());

  EXPECT_EQ(graph.spec(sum[0]), vector_);
  EXPECT_EQ(graph.values()[sum[0]].node, 0);
  EXPECT_EQ(graph.nodes()[0].block, "net0/dense0");
  EXPECT_EQ(graph.nodes()[0].location, "net.cc:7");
  EXPECT_EQ(graph.FindInput("a"), 0);
  EXPECT_EQ(graph.FindInput("b"), -1);
  EXPECT_EQ(graph.InputIndex(a), 0);
  EXPECT_EQ(graph.InputIndex(sum[0]), -1);
  EXPECT_EQ(graph.ConstantIndex(constant), 0);
  EXPECT_THAT(graph.UseCounts(), ElementsAre(1, 1, 1));
  EXPECT_TRUE(VerifyGraph(graph).ok());
}

TEST_F(GraphTest, ValueNamesCannotBeConfused) {
  Graph graph;
  const ValueId plain = *graph.AddInput("data", vector_, InputKind::kArgument);
  const ValueId digits = *graph.AddInput("3", vector_, InputKind::kArgument);
  const ValueId like_constant = *graph.AddInput("c0", vector_, InputKind::kArgument);
  const ValueId strange = *graph.AddInput("a \"b\" ü", vector_, InputKind::kArgument);
  EXPECT_EQ(graph.ValueName(plain), "%data");
  EXPECT_EQ(graph.ValueName(digits), "%\"3\"");
  EXPECT_EQ(graph.ValueName(like_constant), "%\"c0\"");
  EXPECT_EQ(graph.ValueName(strange), "%\"a \\\"b\\\" ü\"");
}

TEST_F(GraphTest, RefusesBadInputs) {
  Graph graph;
  ASSERT_TRUE(graph.AddInput("a", vector_, InputKind::kArgument).ok());
  EXPECT_EQ(graph.AddInput("a", vector_, InputKind::kState).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(graph.AddInput("", vector_, InputKind::kState).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(graph.AddInput("a\nb", vector_, InputKind::kState).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(graph.AddInput("b", {DType::kF32, {kDynamic}}, InputKind::kState).ok());
  EXPECT_FALSE(graph.AddInput("b", {DType::kF32, {INT64_MAX, 2}}, InputKind::kState).ok());
  EXPECT_THAT(graph.AddInput("rng", vector_, InputKind::kRandomState).status().message(),
              HasSubstr("i64[2]"));
  EXPECT_TRUE(graph.AddInput("rng", {DType::kI64, {2}}, InputKind::kRandomState).ok());
  EXPECT_FALSE(graph.AddConstant(Tensor()).ok());
}

TEST_F(GraphTest, RefusesBadNodes) {
  Graph graph;
  const ValueId a = *graph.AddInput("a", vector_, InputKind::kArgument);
  const ValueId b = *graph.AddInput("b", {DType::kF32, {3}}, InputKind::kArgument);
  const OpDef& add = Op("add");
  EXPECT_FALSE(graph.AddNode(add, AttributeMap(), {a, 99}).ok());
  EXPECT_FALSE(graph.AddNode(add, AttributeMap(), {a, -1}).ok());
  EXPECT_FALSE(graph.AddNode(add, AttributeMap(), {a}).ok());
  const absl::Status shapes = graph.AddNode(add, Attrs(add), {a, b}).status();
  EXPECT_THAT(shapes.message(), HasSubstr("[2]"));
  EXPECT_THAT(shapes.message(), HasSubstr("[3]"));
  // Attributes of another op.
  EXPECT_FALSE(graph.AddNode(Op("softmax"), AttributeMap(), {a}).ok());
  EXPECT_TRUE(graph.nodes().empty());
  EXPECT_EQ(graph.values().size(), 2);
}

TEST_F(GraphTest, RefusesBadOutputsAndUpdates) {
  Graph graph;
  const ValueId a = *graph.AddInput("a", vector_, InputKind::kArgument);
  const ValueId mean = *graph.AddInput("mean", {DType::kF32, {3}}, InputKind::kState);
  const ValueId other = *graph.AddInput("other", {DType::kF32, {3}}, InputKind::kArgument);
  EXPECT_TRUE(graph.AddOutput("y", a).ok());
  EXPECT_EQ(graph.AddOutput("y", a).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(graph.AddOutput("z", a).ok());
  EXPECT_FALSE(graph.AddOutput("w", 17).ok());

  EXPECT_FALSE(graph.AddUpdate(-1, a).ok());
  EXPECT_FALSE(graph.AddUpdate(9, a).ok());
  EXPECT_THAT(graph.AddUpdate(0, a).message(), HasSubstr("argument"));
  EXPECT_THAT(graph.AddUpdate(1, a).message(), HasSubstr("f32[3]"));
  EXPECT_FALSE(graph.AddUpdate(1, 99).ok());
  EXPECT_TRUE(graph.AddUpdate(1, other).ok());
  EXPECT_EQ(graph.AddUpdate(1, mean).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(GraphTest, KindsHaveNames) {
  for (const InputKind kind : {InputKind::kArgument, InputKind::kParameter, InputKind::kState,
                               InputKind::kCapture, InputKind::kRandomState}) {
    EXPECT_EQ(*ParseInputKind(InputKindName(kind)), kind);
  }
  EXPECT_FALSE(ParseInputKind("weight").ok());
}

}  // namespace
}  // namespace tandem
