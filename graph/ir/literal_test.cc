#include "tandem/graph/ir/literal.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"

namespace tandem {
namespace {

template <typename T>
std::string Print(T value) {
  std::byte bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  std::string text;
  AppendLiteral(DTypeOf<T>::value, bytes, &text);
  return text;
}

// All bit patterns of a 16-bit type, every 65,537th of a 32-bit one.
template <typename T>
void ExpectBitsSurvive(uint64_t step) {
  for (uint64_t bits = 0; bits <= (sizeof(T) == 2 ? 0xFFFFu : 0xFFFFFFFFu); bits += step) {
    std::byte in[sizeof(T)];
    std::memcpy(in, &bits, sizeof(T));
    std::string text;
    AppendLiteral(DTypeOf<T>::value, in, &text);
    std::vector<std::byte> out;
    const absl::Status status = ParseLiteral(text, DTypeOf<T>::value, &out);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(out.size(), sizeof(T));
    ASSERT_EQ(std::memcmp(in, out.data(), sizeof(T)), 0) << text;
  }
}

TEST(LiteralTest, EveryBitPatternSurvives) {
  ExpectBitsSurvive<Half>(1);
  ExpectBitsSurvive<BFloat16>(1);
  ExpectBitsSurvive<int16_t>(1);
  ExpectBitsSurvive<float>(65537);
  ExpectBitsSurvive<int32_t>(65537);
}

TEST(LiteralTest, IsShortAndTellsFloatsFromIntegers) {
  EXPECT_EQ(Print(1.0f), "1.0");
  EXPECT_EQ(Print(0.1f), "0.1");
  EXPECT_EQ(Print(0.1), "0.1");
  EXPECT_EQ(Print(-0.0f), "-0.0");
  EXPECT_EQ(Print(1e30f), "1e+30");
  EXPECT_EQ(Print(INFINITY), "inf");
  EXPECT_EQ(Print(-INFINITY), "-inf");
  EXPECT_EQ(Print(NAN), "nan");
  EXPECT_EQ(Print(Half(0.5f)), "0.5");
  EXPECT_EQ(Print<int64_t>(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(Print<uint8_t>(255), "255");
  EXPECT_EQ(Print(true), "true");
}

TEST(LiteralTest, RefusesWhatIsNoNumberOfTheType) {
  std::vector<std::byte> bytes;
  for (const absl::string_view text :
       {"", "x", "1.5.2", "1e", "0x1p3", "infinity", "nan(0x)", "nan(0x7f800000)", "nan(0x1)",
        "nan(0xffffffffff)", "1e999", "+1", "true"}) {
    EXPECT_FALSE(ParseLiteral(text, DType::kF32, &bytes).ok()) << std::string(text);
  }
  EXPECT_FALSE(ParseLiteral("70000", DType::kF16, &bytes).ok());
  EXPECT_FALSE(ParseLiteral("1.0", DType::kI32, &bytes).ok());
  EXPECT_FALSE(ParseLiteral("256", DType::kU8, &bytes).ok());
  EXPECT_FALSE(ParseLiteral("-1", DType::kU8, &bytes).ok());
  EXPECT_FALSE(ParseLiteral("9223372036854775808", DType::kI64, &bytes).ok());
  EXPECT_FALSE(ParseLiteral("1", DType::kBool, &bytes).ok());
  EXPECT_TRUE(bytes.empty());
  EXPECT_TRUE(ParseLiteral("3", DType::kF32, &bytes).ok());
}

}  // namespace
}  // namespace tandem
