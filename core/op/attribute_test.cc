#include "tandem/core/op/attribute.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/hash/hash.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

const AttributeSchema& Schema() {
  static const auto* schema = new AttributeSchema{
      AttributeDef::Required("shape", AttributeType::kInts, "the new shape"),
      AttributeDef::Optional("axis", -1, "an axis"),
      AttributeDef::Optional("epsilon", 1e-5, "a small number"),
      AttributeDef::Choice("mode", "max", {"max", "avg"}, "how"),
  };
  return *schema;
}

TEST(AttributeMap, FillsInDefaults) {
  AttributeMap attrs = *AttributeMap::Create(Schema(), {{"shape", Dims{2, 3}}});
  EXPECT_EQ(attrs.Ints("shape"), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(attrs.Int("axis"), -1);
  EXPECT_EQ(attrs.Double("epsilon"), 1e-5);
  EXPECT_EQ(attrs.String("mode"), "max");
  EXPECT_EQ(attrs.ToString(), "{shape=[2,3]}");
}

TEST(AttributeMap, ErrorsNameTheAttributeAndTheRemedy) {
  struct Case {
    std::vector<AttributeInit> values;
    const char* expected;
  };
  const Case cases[] = {
      {{}, "'shape' (ints) is missing"},
      {{{"shape", Dims{1}}, {"axes", 1}}, "no attribute 'axes'; known: shape, axis"},
      {{{"shape", 3}}, "'shape' is ints, not int"},
      {{{"shape", Dims{1}}, {"mode", "min"}}, "choices: max, avg"},
      {{{"shape", Dims{1}}, {"axis", 1}, {"axis", 2}}, "given twice"},
      {{{"shape", Dims{1}}, {"axis", 1.5}}, "'axis' is int, not double"},
  };
  for (const Case& c : cases) {
    const absl::Status status = AttributeMap::Create(Schema(), c.values).status();
    EXPECT_NE(status.message().find(c.expected), std::string::npos) << status;
  }
}

TEST(AttributeMap, AnIntServesAsDouble) {
  AttributeMap attrs = *AttributeMap::Create(Schema(), {{"shape", Dims{}}, {"epsilon", 1}});
  EXPECT_EQ(attrs.Double("epsilon"), 1.0);
}

TEST(AttributeMap, EqualityAndHashGoByValue) {
  AttributeMap a = *AttributeMap::Create(Schema(), {{"shape", Dims{1}}, {"axis", 2}});
  AttributeMap b = *AttributeMap::Create(Schema(), {{"axis", 2}, {"shape", Dims{1}}});
  AttributeMap c = *AttributeMap::Create(Schema(), {{"axis", 3}, {"shape", Dims{1}}});
  EXPECT_EQ(a, b);
  EXPECT_FALSE(a == c);
  EXPECT_EQ(absl::HashOf(a), absl::HashOf(b));
}

TEST(AttributeMap, LongTextsAreCutWhereACharacterStarts) {
  const AttributeMap short_one = *AttributeMap::Create(Schema(), {{"shape", Dims{1, 2}}});
  const std::string text = short_one.ToString();
  EXPECT_EQ(short_one.Shortened(text.size()), text);
  EXPECT_EQ(short_one.Shortened(text.size() - 1), text.substr(0, text.size() - 1) + "…");
  const AttributeMap long_one =
      *AttributeMap::Create(Schema(), {{"shape", AttributeValue::Ints(1 << 20, 12345)}});
  EXPECT_EQ(long_one.Shortened(512), long_one.ToString().substr(0, 512) + "…");
  // Not all of it was printed.
  std::string printed;
  long_one.AppendTo(&printed, 512);
  EXPECT_LT(printed.size(), 530);
  // The name of an attribute in two characters of two bytes: whatever is cut, no half of one is left.
  const AttributeSchema names({AttributeDef::Optional("éé", 0, "")});
  const AttributeMap map = *AttributeMap::Create(names, {{"éé", 1}});
  EXPECT_EQ(map.ToString(), "{éé=1}");
  EXPECT_EQ(map.Shortened(5), "{éé…");
  EXPECT_EQ(map.Shortened(4), "{é…");
  EXPECT_EQ(map.Shortened(3), "{é…");
  EXPECT_EQ(map.Shortened(2), "{…");
  EXPECT_EQ(map.Shortened(0), "…");
}

TEST(AttributeValue, DoublesPrintSoThatTheyParseBack) {
  for (double value : {0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 1.0 / 3, -2.5e-7}) {
    const std::string text = AttributeValue(value).ToString();
    EXPECT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
    EXPECT_EQ(std::signbit(std::strtod(text.c_str(), nullptr)), std::signbit(value)) << text;
    EXPECT_NE(text.find_first_of(".e"), std::string::npos) << text << " reads as an integer";
  }
  EXPECT_EQ(AttributeValue(std::numeric_limits<double>::infinity()).ToString(), "inf");
  EXPECT_EQ(AttributeValue("a\"b\n").ToString(), "\"a\\\"b\\n\"");
  EXPECT_EQ(AttributeValue(std::vector<int64_t>{}).ToString(), "ints[]");
  EXPECT_TRUE(AttributeValue(std::nan("")) == AttributeValue(std::nan("")));
  EXPECT_FALSE(AttributeValue(0.0) == AttributeValue(-0.0));
}

}  // namespace
}  // namespace tandem
