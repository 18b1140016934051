#include "tandem/graph/ir/lexer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using testing::HasSubstr;

TEST(LexerTest, SkipsSpaceAndComments) {
  TextLexer lexer("  // a comment\n\t word// another\n-> 1.5e-3,\"a\\n\\\"b\"");
  EXPECT_EQ(*lexer.Word("a word"), "word");
  EXPECT_TRUE(lexer.Expect("->").ok());
  EXPECT_EQ(*lexer.Literal("a number"), "1.5e-3");
  EXPECT_TRUE(lexer.Consume(","));
  EXPECT_EQ(*lexer.String("text"), "a\n\"b");
  EXPECT_TRUE(lexer.AtEnd());
}

TEST(LexerTest, TakesWordsWhole) {
  TextLexer lexer("updates");
  EXPECT_FALSE(lexer.Consume("update"));
  EXPECT_TRUE(lexer.Consume("updates"));
}

TEST(LexerTest, ReadsTypes) {
  EXPECT_EQ(*TextLexer("f32[2,3]").Type(), (TensorSpec{DType::kF32, {2, 3}}));
  EXPECT_EQ(*TextLexer("i64[]").Type(), (TensorSpec{DType::kI64, {}}));
  for (const absl::string_view bad : {"f33[2]", "f32", "f32[2", "f32[2;3]", "f32[,]", "f32[-1]",
                                      "f32[1,1,1,1,1,1,1,1,1]", "f32[99999999999999999999]"}) {
    EXPECT_FALSE(TextLexer(bad).Type().ok()) << std::string(bad);
  }
}

TEST(LexerTest, SaysWhere) {
  TextLexer lexer("one\n  two three");
  EXPECT_TRUE(lexer.Expect("one").ok());
  EXPECT_TRUE(lexer.Expect("two").ok());
  EXPECT_EQ(lexer.Expect("(").message(), "2:7: expected '(', found 'three'");
  EXPECT_TRUE(lexer.Expect("three").ok());
  EXPECT_EQ(lexer.Word("an op").status().message(), "2:12: expected an op, found the end");
  EXPECT_EQ(lexer.At(0, absl::NotFoundError("gone")), absl::NotFoundError("1:1: gone"));
}

TEST(LexerTest, RefusesOpenStrings) {
  for (const absl::string_view bad : {"\"a", "\"a\nb\"", "\"a\\", "\"\\q\"", "a", ""}) {
    EXPECT_FALSE(TextLexer(bad).String("text").ok()) << std::string(bad);
  }
}

}  // namespace
}  // namespace tandem
