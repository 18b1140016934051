#include "tandem/core/tensor/dtype.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace tandem {
namespace {

// Every pair, so that the table in the header is what the code does.
TEST(DType, PromotionIsALattice) {
  for (int a = 0; a < kNumDTypes; ++a) {
    for (int b = 0; b < kNumDTypes; ++b) {
      const DType x = static_cast<DType>(a), y = static_cast<DType>(b);
      EXPECT_EQ(PromoteTypes(x, y), PromoteTypes(y, x));
      for (int c = 0; c < kNumDTypes; ++c) {
        const DType z = static_cast<DType>(c);
        // Associative but where two 8-bit integers or two 16-bit floats meet in a third type.
        if (IsFloating(x) || IsFloating(y) || IsFloating(z)) continue;
        EXPECT_EQ(PromoteTypes(PromoteTypes(x, y), z), PromoteTypes(x, PromoteTypes(y, z)));
      }
    }
  }
  EXPECT_EQ(PromoteTypes(DType::kF16, DType::kBF16), DType::kF32);
  EXPECT_EQ(PromoteTypes(DType::kI64, DType::kF16), DType::kF16);
  EXPECT_EQ(PromoteTypes(DType::kU8, DType::kI8), DType::kI16);
  EXPECT_EQ(PromoteTypes(DType::kU8, DType::kI32), DType::kI32);
  EXPECT_EQ(PromoteTypes(DType::kBool, DType::kU8), DType::kU8);
}

TEST(DType, NamesParseBack) {
  for (int i = 0; i < kNumDTypes; ++i) {
    const DType dtype = static_cast<DType>(i);
    EXPECT_EQ(*ParseDType(DTypeName(dtype)), dtype);
    DispatchDType(dtype, [&](auto zero) {
      EXPECT_EQ(DTypeOf<decltype(zero)>::value, dtype);
      EXPECT_EQ(sizeof(zero), DTypeSize(dtype));
    });
  }
  EXPECT_FALSE(ParseDType("float").ok());
}

// Every f16 converts to float and back to itself, NaN to a NaN.
TEST(Half, RoundTripsEveryValue) {
  for (int bits = 0; bits < 65536; ++bits) {
    const float value = Half::ToFloat(static_cast<uint16_t>(bits));
    const uint16_t back = Half::FromFloat(value);
    if (std::isnan(value)) {
      EXPECT_EQ(back & 0x7C00, 0x7C00);
      EXPECT_NE(back & 0x03FF, 0);
    } else {
      ASSERT_EQ(back, bits) << value;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(static_cast<float>(Half(1.0f + 0x1p-11f)), 1.0f) << "a tie goes to even";
  EXPECT_EQ(static_cast<float>(Half(1.0f + 0x1.8p-10f)), 1.0f + 0x1p-9f);
  EXPECT_EQ(static_cast<float>(Half(1.0f + 0x1.002p-11f)), 1.0f + 0x1p-10f);
  EXPECT_EQ(static_cast<float>(Half(65519.0f)), 65504.0f);
  EXPECT_TRUE(std::isinf(static_cast<float>(Half(65520.0f))));
  EXPECT_EQ(static_cast<float>(Half(0x1p-25f)), 0.0f) << "half the smallest subnormal";
  EXPECT_EQ(static_cast<float>(Half(0x1.8p-25f)), 0x1p-24f);
  EXPECT_TRUE(std::signbit(static_cast<float>(Half(-0.0f))));
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(static_cast<float>(BFloat16(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_EQ(static_cast<float>(BFloat16(1.0f + 0x1.8p-7f)), 1.0f + 0x1p-6f);
  EXPECT_TRUE(std::isinf(static_cast<float>(BFloat16(std::numeric_limits<float>::max()))));
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::nanf("")))));
}

}  // namespace
}  // namespace tandem
