#include "tandem/graph/passes/constant_fold.h"

#include "gmock/gmock.h"
#include "tandem/graph/passes/pass_fixture.h"

namespace tandem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConstantFoldTest : public PassFixture {};

TEST_F(ConstantFoldTest, FoldsChainsOfConstants) {
  EXPECT_EQ(After(ConstantFold(),
                  R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
  %c0 = constant dense<[1.0, 2.0]> : f32[2]
  %2 = full() {shape=ints[], value=3.0} : f32[]
  %3 = mul(%c0, %2) : f32[2]
  %4 = neg(%3) : f32[2]
  %5 = add(%x, %4) : f32[2]
  return %5
}
)"),
            R"(graph @g(%x: f32[2] argument) -> (f32[2] "y") {
  %1 = full() {shape=ints[], value=3.0} : f32[]
  %c0 = constant dense<[3.0, 6.0]> : f32[2]
  %c1 = constant dense<[-3.0, -6.0]> : f32[2]
  %4 = add(%x, %c1) : f32[2]
  return %4
}
)");
  EXPECT_THAT(Changes(), ElementsAre("%3 = mul: folded to f32[2]", "%4 = neg: folded to f32[2]"));
}

TEST_F(ConstantFoldTest, ViewsStayButCountAsConstants) {
  EXPECT_EQ(After(ConstantFold(),
                  R"(graph @g() -> (f32[2,1] "a", f32[2,1] "b") {
  %c0 = constant dense<[1.0, 2.0]> : f32[2]
  %1 = reshape(%c0) {shape=[2,1]} : f32[2,1]
  %2 = neg(%1) : f32[2,1]
  return %1, %2
}
)"),
            R"(graph @g() -> (f32[2,1] "a", f32[2,1] "b") {
  %c0 = constant dense<[1.0, 2.0]> : f32[2]
  %1 = reshape(%c0) {shape=[2,1]} : f32[2,1]
  %c1 = constant dense<[-1.0, -2.0]> : f32[2,1]
  return %1, %c1
}
)");
}

TEST_F(ConstantFoldTest, DoesNotFoldWhatGrows) {
  const std::string grows =
      "graph @g() -> (f32[3,3] \"y\") {\n"
      "  %c0 = constant dense<[1.0, 2.0, 3.0]> : f32[3,1]\n"
      "  %1 = broadcast_to(%c0) {shape=[3,3]} : f32[3,3]\n"
      "  %2 = full() {shape=[1,3], value=3.0} : f32[1,3]\n"
      "  %3 = add(%c0, %2) : f32[3,3]\n"
      "  return %3\n}\n";
  EXPECT_EQ(After(ConstantFold(), grows), grows);
  EXPECT_EQ(evaluations_, 0);
}

TEST_F(ConstantFoldTest, DoesNotEvaluateWhatIsLarge) {
  // 4 MiB and 4 TiB: the second would not even be allocated.
  for (const int64_t size : {int64_t{1} << 20, int64_t{1} << 40}) {
    const std::string large = absl::StrCat(
        "graph @g() -> (f32[", size, "] \"y\") {\n  %0 = full() {shape=[", size,
        "], value=3.0} : f32[", size, "]\n  %1 = neg(%0) : f32[", size, "]\n  return %1\n}\n");
    EXPECT_EQ(After(ConstantFold(), large), large);
  }
  EXPECT_EQ(evaluations_, 0);
}

TEST_F(ConstantFoldTest, LeavesWhatDependsOnInputs) {
  const std::string text =
      "graph @g(%x: f32[2] argument) -> (f32[2] \"y\") {\n"
      "  %c0 = constant dense<[1.0, 2.0]> : f32[2]\n"
      "  %2 = add(%x, %c0) : f32[2]\n"
      "  return %2\n}\n";
  EXPECT_EQ(After(ConstantFold(), text), text);
  EXPECT_EQ(evaluations_, 0);
}

TEST_F(ConstantFoldTest, AFailedEvaluationLeavesTheNode) {
  const std::string text =
      "graph @g() -> (f32[2] \"y\") {\n"
      "  %c0 = constant dense<[1.0, 2.0]> : f32[2]\n"
      "  %1 = sqrt(%c0) : f32[2]\n"
      "  return %1\n}\n";
  EXPECT_EQ(After(ConstantFold(), text), text);
  EXPECT_THAT(Changes(), ElementsAre(HasSubstr("%1 = sqrt: not folded: no sqrt here")));
}

TEST_F(ConstantFoldTest, WithoutAnEvaluatorNothingHappens) {
  context_.evaluator = nullptr;
  const std::string text =
      "graph @g() -> (f32[2] \"y\") {\n"
      "  %c0 = constant dense<[1.0, 2.0]> : f32[2]\n"
      "  %1 = neg(%c0) : f32[2]\n"
      "  return %1\n}\n";
  EXPECT_EQ(After(ConstantFold(), text), text);
}

TEST_F(ConstantFoldTest, AnEvaluatorOfTheWrongShapeIsAnError) {
  context_.evaluator = [this](const OpDef&, const AttributeMap&, absl::Span<const Tensor>) {
    return absl::StatusOr<TensorList>(TensorList{*Tensor::Scalar(1.0f, device_)});
  };
  PassPipeline pipeline;
  pipeline.Add(std::make_shared<ConstantFold>());
  const auto after = pipeline.Run(Parse("graph @g() -> (f32[2] \"y\") {\n"
                                        "  %c0 = constant dense<[1.0, 2.0]> : f32[2]\n"
                                        "  %1 = neg(%c0) : f32[2]\n"
                                        "  return %1\n}\n"),
                                  context_);
  EXPECT_EQ(after.status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace tandem
