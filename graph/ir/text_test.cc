#include "tandem/graph/ir/text.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr absl::string_view kMlp =
    R"(graph @mlp(%data: f32[1,3] argument, %weight: f32[2,3] parameter, %mean: f32[2] state, %rng: i64[2] random_state) -> (f32[1,2] "output", f32[2] "again") random_blocks=5 {
  %c0 = constant dense<[1.0, -0.5]> : f32[2]
  %5 = matmul(%data, %weight) {transpose_b=true} : f32[1,2] in "mlp0/dense0" at "mlp.cc:12"
  %6 = add(%5, %c0) : f32[1,2] in "mlp0/dense0"
  %7, %8 = split(%6) {axis=1, sections=2} : f32[1,1], f32[1,1]
  %9 = concat(%7, %8) {axis=1} : f32[1,2] at "my file.cc:3"
  %10 = dropout(%9, %rng) {delta=4} : f32[1,2]
  %11 = reshape(%10) {shape=[2]} : f32[2]
  update %mean = %11
  return %10, %11
}
)";

class TextTest : public GraphFixture {
 protected:
  void ExpectSurvives(absl::string_view text) {
    EXPECT_EQ(PrintGraph(Parse(text)), std::string(text));
  }
  std::string ParseError(absl::string_view text) {
    const auto graph = ParseGraph(text, Ops(), &device_);
    EXPECT_FALSE(graph.ok()) << std::string(text);
    return std::string(graph.status().message());
  }
  // One statement in a graph with the inputs %x f32[2] and %s f32[2] state.
  std::string StatementError(absl::string_view statement) {
    return ParseError(absl::StrCat("graph @g(%x: f32[2] argument, %s: f32[2] state) -> () {\n",
                                   statement, "\nreturn\n}"));
  }
};

TEST_F(TextTest, PrintedTextParsesToTheSameGraph) {  // R3
  ExpectSurvives(kMlp);
  ExpectSurvives("graph @empty() -> () {\n  return\n}\n");
  ExpectSurvives("graph @\"\"() -> () {\n  return\n}\n");
  ExpectSurvives("graph @\"a b\"() -> () {\n  return\n}\n");
  ExpectSurvives(
      "graph @g(%\"5\": f32[] argument, %\"c0\": f32[] argument) -> (f32[] \"a \\\"ü\\\"\") {\n"
      "  %2 = add(%\"5\", %\"c0\") : f32[] in \"net \\\"0\\\"\" at \"C:\\\\a b.cc:1\"\n"
      "  return %2\n}\n");
}

TEST_F(TextTest, BodiesSurvive) {
  ExpectSurvives(
      R"(graph @g(%x: f32[1,2] argument, %b: f32[2] parameter) -> (f32[1,2] "y") {
  %2 = fused(%x, %b) {body=(%0: f32[1,2], %1: f32[2]) { %2 = add(%0, %1) : f32[1,2]; %3 = relu(%2) : f32[1,2]; return %3 }} : f32[1,2] in "net" at "net.cc:1"
  return %2
}
)");
  // Values of the graph are none of a body's.
  EXPECT_THAT(StatementError("%y = fused(%x) {body=(%0: f32[2]) { return %x }} : f32[2]"),
              HasSubstr("2:44: %x is not defined in this body"));
  EXPECT_THAT(StatementError("%y = fused(%x) {body=(%0: f32[3]) { return %0 }} : f32[3]"),
              HasSubstr("%y is f32[3] in the text, but f32[2] by inference"));
}

TEST_F(TextTest, BlocksAndLinesSurvive) {
  const Graph graph = Parse(kMlp);
  EXPECT_EQ(graph.nodes()[0].block, "mlp0/dense0");
  EXPECT_EQ(graph.nodes()[0].location, "mlp.cc:12");
  EXPECT_EQ(graph.nodes()[1].location, "");
  EXPECT_EQ(graph.nodes()[3].location, "my file.cc:3");
  EXPECT_EQ(graph.random_blocks(), 5);
  EXPECT_THAT(PrintGraph(graph, {.origins = false}), testing::Not(HasSubstr("mlp.cc")));
}

// A trace meets parameters on its way, so inputs stand between nodes; ids must survive all the same.
TEST_F(TextTest, IdsSurviveWhenInputsComeLate) {
  Graph graph("late");
  const TensorSpec spec{DType::kF32, {2}};
  const ValueId x = *graph.AddInput("x", spec, InputKind::kArgument);
  const ValueId h = Add(graph, "exp", {x})[0];
  const ValueId w = *graph.AddInput("w", spec, InputKind::kParameter);
  const ValueId c = *graph.AddConstant(*Tensor::FromVector<float>({1, 2}, {2}, device_));
  const ValueId y = Add(graph, "mul", {h, w})[0];
  *graph.AddInput("unused", spec, InputKind::kCapture);
  const ValueId z = Add(graph, "sub", {y, c})[0];
  ASSERT_TRUE(graph.AddOutput("z", z).ok());

  const std::string text = PrintGraph(graph);
  const Graph parsed = Parse(text);
  EXPECT_EQ(PrintGraph(parsed), text);
  ASSERT_EQ(parsed.nodes().size(), graph.nodes().size());
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    EXPECT_EQ(parsed.nodes()[i].outputs, graph.nodes()[i].outputs);
  }
}

TEST_F(TextTest, ConstantsKeepTheirBits) {
  ExpectSurvives(
      "graph @g() -> () {\n"
      "  %c0 = constant dense<[nan, inf, -inf, -0.0, 1e-45, 3.4028235e+38, nan(0x7fc00001)]> : "
      "f32[7]\n"
      "  %c1 = constant dense<[5e-324, 0.1]> : f64[2]\n"
      "  %c2 = constant dense<[65504.0, 5.9604645e-08]> : f16[2,1]\n"
      "  %c3 = constant dense<[-9223372036854775808]> : i64[]\n"
      "  %c4 = constant dense<[true, false]> : bool[2]\n"
      "  %c5 = constant dense<[]> : f32[0,3]\n"
      "  return\n}\n");
}

TEST_F(TextTest, LargeConstantsStandBesideTheText) {
  Graph graph("large");
  const std::vector<float> values(65, 0.25f);
  const Tensor tensor = *Tensor::FromVector<float>(values, {65}, device_);
  const ValueId constant = *graph.AddConstant(tensor);
  ASSERT_TRUE(graph.AddOutput("y", constant).ok());
  const GraphText printed = PrintGraphAndConstants(graph);
  EXPECT_THAT(printed.text, HasSubstr("%c0 = constant dense<\"c0\"> : f32[65]"));
  const Graph parsed = Parse(printed.text, printed.constants);
  EXPECT_EQ(*parsed.constants()[0].tensor.ToVector<float>(), values);

  EXPECT_THAT(ParseError(printed.text), HasSubstr("no tensor 'c0'"));
  const auto wrong = ParseGraph(printed.text, Ops(), &device_,
                                {{"c0", *Tensor::FromVector<float>({1}, {1}, device_)}});
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("f32[65]"));
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("f32[1]"));
}

TEST_F(TextTest, TextByHandMayUseNamesAndComments) {
  const Graph graph = Parse(R"(
      graph @by_hand(%x : f32[2] argument) -> (f32[2] "y") {
        // Names instead of numbers, and space where one likes.
        %sum=add( %x , %x ) : f32[2]   // twice
        %half = constant dense < [0.5, 1] > : f32[2]
        %y = mul(%sum, %half) : f32[2]
        return %y
      })");
  EXPECT_EQ(PrintGraph(graph),
            "graph @by_hand(%x: f32[2] argument) -> (f32[2] \"y\") {\n"
            "  %1 = add(%x, %x) : f32[2]\n"
            "  %c0 = constant dense<[0.5, 1.0]> : f32[2]\n"
            "  %3 = mul(%1, %c0) : f32[2]\n"
            "  return %3\n}\n");
}

TEST_F(TextTest, AttributesOfEveryTypeSurvive) {
  ExpectSurvives(
      "graph @g(%x: f32[2,3] argument) -> () {\n"
      "  %1 = cast(%x) {dtype=f16} : f16[2,3]\n"
      "  %2 = gelu(%x) {approximate=\"tanh\"} : f32[2,3]\n"
      "  %3 = clip(%x) {min=-inf, max=0.1} : f32[2,3]\n"
      "  %4 = full() {shape=ints[], value=1e+30} : f32[]\n"
      "  %5 = sum(%x) {axes=[-1], keepdims=true} : f32[2,1]\n"
      "  return\n}\n");
}

TEST_F(TextTest, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(StatementError("%y = add(%x, %nope) : f32[2]"), "2:14: %nope is not defined");
  EXPECT_THAT(StatementError("%y = ad(%x, %x) : f32[2]"), StartsWith("2:6: no op 'ad'"));
  // Both types.
  EXPECT_EQ(StatementError("%y = add(%x, %x) : f32[3]"),
            "2:20: %y is f32[3] in the text, but f32[2] by inference");
  EXPECT_EQ(StatementError("%x = add(%x, %x) : f32[2]"), "2:1: %x is defined twice");
  EXPECT_THAT(StatementError("%y = softmax(%x) {axes=1} : f32[2]"), HasSubstr("known: axis"));
  EXPECT_THAT(StatementError("%y = softmax(%x) {axis=1.5} : f32[2]"),
              HasSubstr("'1.5' is not a number of type i64"));
  EXPECT_THAT(StatementError("%y = softmax(%x) {axis=0, axis=0} : f32[2]"),
              HasSubstr("given twice"));
  EXPECT_THAT(StatementError("%y, %z = exp(%x) : f32[2], f32[2]"),
              HasSubstr("exp has 1 results, but 2 are defined here"));
  EXPECT_THAT(StatementError("%y = constant dense<[1.0]> : f32[2]"),
              HasSubstr("f32[2] has 2 elements, but 1 are given"));
  EXPECT_THAT(StatementError("%y = constant dense<[1.0, x]> : f32[2]"), StartsWith("2:27: 'x'"));
  EXPECT_THAT(StatementError("update %x = %s"), HasSubstr("argument"));
  EXPECT_THAT(StatementError("update %s = %s\nupdate %s = %s"), StartsWith("3:"));
  EXPECT_THAT(ParseError("graph @g() -> () { return } x"), HasSubstr("text goes on"));
  EXPECT_THAT(ParseError("graph @g(%x: f32[2] thing) -> () { return }"),
              HasSubstr("kinds: argument"));
  EXPECT_THAT(ParseError("graph @g(%x: f32[2] argument) -> (f32[3] \"y\") { return %x }"),
              HasSubstr("f32[3] in the text, but f32[2]"));
  EXPECT_THAT(ParseError("graph @g(%x: f32[2] argument, %x: f32[2] argument) -> () { return }"),
              HasSubstr("defined twice"));
  EXPECT_THAT(ParseError("graph @g() -> () random_blocks=-1 { return }"), HasSubstr("negative"));
}

// Numbers in the text must not decide what is allocated.
TEST_F(TextTest, HugeNumbersAreErrorsNotAllocations) {
  StatementError("%y = constant dense<[]> : f32[1000000000,1000000000,1000000000]");
  StatementError("%y = constant dense<[1.0]> : f32[100000000000]");
  ParseError(
      "graph @g(%x: f32[1000000000000] argument) -> () {\n"
      "%y = split(%x) {sections=1000000000} : f32[1000]\nreturn\n}");
}

TEST_F(TextTest, EveryTruncationIsAnError) {
  for (size_t size = 0; size + 2 < kMlp.size(); ++size) ParseError(kMlp.substr(0, size));
}

TEST_F(TextTest, WithoutADeviceConstantsAreRefused) {
  const auto graph =
      ParseGraph("graph @g() -> () { %c0 = constant dense<[1.0]> : f32[] return }", Ops());
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tandem
