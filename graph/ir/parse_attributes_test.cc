#include "tandem/graph/ir/parse_attributes.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tandem/graph/ir/graph_fixture.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr absl::string_view kChain =
    "(%0: f32[1,256], %1: f32[256]) { %2 = add(%0, %1) : f32[1,256]; %3 = relu(%2) : f32[1,256]; "
    "return %3 }";

class ParseAttributesTest : public GraphFixture {
 protected:
  absl::StatusOr<AttributeMap> Attributes(absl::string_view op, const std::string& text,
                                          int64_t budget = 1 << 20) {
    TextLexer lexer(text);
    TextBudget room(&lexer, budget);
    return AttributeParser(&lexer, &room, Ops()).Attributes(Op(op));
  }
  std::string Error(const std::string& body) {
    const auto attrs = Attributes("fused", absl::StrCat("{body=", body, "}"));
    EXPECT_FALSE(attrs.ok()) << body;
    EXPECT_THAT(std::string(attrs.status().message()), StartsWith("1:"));
    return std::string(attrs.status().message());
  }
  void ExpectSurvives(const std::string& body) {
    const auto attrs = Attributes("fused", absl::StrCat("{body=", body, "}"));
    ASSERT_TRUE(attrs.ok()) << attrs.status();
    EXPECT_EQ(attrs->ToString(), absl::StrCat("{body=", body, "}"));
    const auto again = Attributes("fused", attrs->ToString());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(*again == *attrs);
  }
};

TEST_F(ParseAttributesTest, ListsNumbersAndTexts) {
  const auto attrs = Attributes("reshape", "{shape=[2,-1]}");
  ASSERT_TRUE(attrs.ok()) << attrs.status();
  EXPECT_THAT(attrs->Ints("shape"), testing::ElementsAre(2, -1));
  EXPECT_TRUE(Attributes("add", "").ok());
  EXPECT_THAT(std::string(Attributes("sum", "{axis=1}").status().message()),
              HasSubstr("no attribute 'axis'; known: axes"));
}

TEST_F(ParseAttributesTest, PrintedBodiesParseToEqualBodies) {
  ExpectSurvives(std::string(kChain));
  ExpectSurvives("(%0: f32[2]) { return %0 }");
  ExpectSurvives("(%0: f32[]) { %1 = full() {shape=[2], value=0.5} : f32[2]; return %1, %0 }");
  ExpectSurvives(
      "(%0: f32[2,4]) { %1, %2 = split(%0) {axis=1, sections=2} : f32[2,2], f32[2,2]; "
      "return %2, %1 }");
  ExpectSurvives(
      "(%0: i32[2]) { %1 = fused(%0) {body=(%0: i32[2]) { %1 = neg(%0) : i32[2]; return "
      "%1 }} : i32[2]; return %1 }");
}

TEST_F(ParseAttributesTest, NamesOfABodyAreFree) {
  const auto named =
      Attributes("fused",
                 "{body=(%x: f32[1,256], %\"a b\": f32[256]) { // a comment\n"
                 "%sum = add(%x,%\"a b\"):f32[1,256]; %y = relu(%sum) : f32[1,256];\n"
                 "return %y}}");
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_TRUE(*named == *Attributes("fused", absl::StrCat("{body=", kChain, "}")));
}

TEST_F(ParseAttributesTest, MalformedBodies) {
  EXPECT_THAT(Error("3"), HasSubstr("expected '(', found '3}'"));
  EXPECT_THAT(Error("(%0: f32[2]) { return }"), HasSubstr("a body has no outputs"));
  EXPECT_THAT(Error("() { }"), HasSubstr("expected '%'"));
  EXPECT_THAT(Error("(%0: f32[2]) { return %1 }"), HasSubstr("%1 is not defined in this body"));
  EXPECT_THAT(Error("(%0: f32[2], %0: f32[2]) { return %0 }"), HasSubstr("%0 is defined twice"));
  EXPECT_THAT(Error("(%0: f32[2]) { %0 = exp(%0) : f32[2]; return %0 }"),
              HasSubstr("%0 is defined twice"));
  EXPECT_THAT(Error("(%0: f32[2]) { %1 = exq(%0) : f32[2]; return %1 }"),
              HasSubstr("did you mean 'exp'?"));
  EXPECT_THAT(Error("(%0: f32[2]) { %1 = exp(%0) : f32[3]; return %1 }"),
              HasSubstr("%1 is f32[3] in the text, but f32[2] by inference"));
  EXPECT_THAT(Error("(%0: f32[2]) { %1 = exp(%0) : f32[2] return %1 }"), HasSubstr("expected ';'"));
  EXPECT_THAT(Error("(%0: f32[2]) { %1, %2 = exp(%0) : f32[2], f32[2]; return %1 }"),
              HasSubstr("exp has 1 results, but 2 are defined here"));
  EXPECT_THAT(Error("(%0: f32[2,?]) { return %0 }"), HasSubstr("?"));
  EXPECT_THAT(Error("(%0: f32[2]) { %1 = fused(%0) : f32[2]; return %1 }"),
              HasSubstr("attribute 'body' (body) is missing"));
  EXPECT_THAT(Error("(%0: f32[2], %1: f32[3]) { %2 = add(%0, %1) : f32[2]; return %2 }"),
              HasSubstr("add("));
  EXPECT_THAT(Error("(%0: f32[2]) { %1 = exp(%0) : f32[2]; return %1"),
              HasSubstr("expected '}', found the end"));
}

TEST_F(ParseAttributesTest, DepthAndMemoryAreBounded) {
  const auto nested = [](int depth) {
    std::string text = "(%0: f32[2]) { return %0 }";
    for (int i = 1; i < depth; ++i) {
      text = absl::StrCat("(%0: f32[2]) { %1 = fused(%0) {body=", text, "} : f32[2]; return %1 }");
    }
    return text;
  };
  ExpectSurvives(nested(OpBody::kMaxDepth));
  EXPECT_THAT(Error(nested(OpBody::kMaxDepth + 1)), HasSubstr("nested more than 16 deep"));
  // Not even the text has to be there to its end.
  std::string open;
  for (int i = 0; i < 100000; ++i) open += "(%0: f32[2]) { %1 = fused(%0) {body=";
  EXPECT_THAT(Error(open), HasSubstr("nested more than 16 deep"));
  EXPECT_EQ(Attributes("fused", absl::StrCat("{body=", kChain, "}"), 1000).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tandem
