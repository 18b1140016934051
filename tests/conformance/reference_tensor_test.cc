#include "tandem/tests/conformance/reference_tensor.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"

namespace tandem::conformance {
namespace {

constexpr Real kInf = std::numeric_limits<Real>::infinity();

TEST(ReferenceTensorTest, RoundsToNearestEvenAsTheFormatsDo) {
  for (float x : {1.0f, 1.0004883f, 1.0014648f, 65519.0f, 65520.0f, 1e-7f, 2.98e-8f, 0.1f, 3e38f}) {
    EXPECT_EQ(RoundTo(x, DType::kF16), static_cast<float>(Half(x))) << x;
    EXPECT_EQ(RoundTo(x, DType::kBF16), static_cast<float>(BFloat16(x))) << x;
  }
  EXPECT_EQ(RoundTo(0.1L, DType::kF32), 0.1f);
  EXPECT_EQ(RoundTo(0.1L, DType::kF64), 0.1);
  EXPECT_EQ(RoundTo(3.5e38L, DType::kF32), kInf);
  EXPECT_EQ(RoundTo(-1e-45L, DType::kF32), -std::numeric_limits<float>::denorm_min());
}

TEST(ReferenceTensorTest, WrapsIntegers) {
  EXPECT_EQ(RoundTo(128, DType::kI8), -128);
  EXPECT_EQ(RoundTo(-1, DType::kU8), 255);
  EXPECT_EQ(RoundTo(9223372036854775808.0L, DType::kI64), -9223372036854775808.0L);
  EXPECT_EQ(RoundTo(9223372036854775807.0L, DType::kI64), 9223372036854775807.0L);
}

TEST(ReferenceTensorTest, AcceptsWhatTheErrorModelAllowsAndNothingElse) {
  TestDevice device;
  RefTensor want = RefTensor::Of(DType::kF32, {1}, 1);
  const auto accepts = [&](float actual) {
    return Compare(want, *Tensor::FromVector<float>({actual}, {1}, device)).empty();
  };
  EXPECT_TRUE(accepts(1.0f));
  EXPECT_FALSE(accepts(std::nextafter(1.0f, 2.0f)));
  EXPECT_FALSE(accepts(std::nanf("")));
  want.ulps = 1;
  EXPECT_TRUE(accepts(std::nextafter(1.0f, 2.0f)));
  EXPECT_FALSE(accepts(1.0f + 2 * 0x1p-23f));
  want.ulps = 0.5L;
  want.SetError(0, 8);  // units of roundoff: 4 ulp of 1
  EXPECT_TRUE(accepts(1.0f + 4 * 0x1p-23f));
  EXPECT_FALSE(accepts(1.0f + 5 * 0x1p-23f));
  want.values = {std::numeric_limits<Real>::quiet_NaN()};
  EXPECT_TRUE(accepts(std::nanf("")));
  EXPECT_FALSE(accepts(1.0f));
  want.values = {kInf};
  EXPECT_TRUE(accepts(std::numeric_limits<float>::infinity()));
  EXPECT_FALSE(accepts(std::numeric_limits<float>::max()));
}

TEST(ReferenceTensorTest, TellsSpecsAndBitsApart) {
  TestDevice device;
  const Tensor zero = *Tensor::FromVector<float>({0.0f}, {1}, device);
  const Tensor minus_zero = *Tensor::FromVector<float>({-0.0f}, {1}, device);
  EXPECT_NE(Compare(RefTensor::Of(DType::kF64, {1}), zero), "");
  EXPECT_NE(Compare(RefTensor::Of(DType::kF32, {1, 1}), zero), "");
  EXPECT_EQ(Compare(RefTensor::Of(DType::kF32, {1}), minus_zero), "");
  EXPECT_NE(CompareBits(zero, minus_zero), "");
  EXPECT_EQ(CompareBits(zero, zero), "");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor one_nan = *Tensor::FromVector<float>({nan}, {1}, device);
  const Tensor other_nan = *Tensor::FromVector<float>({std::copysign(nan, -1.0f)}, {1}, device);
  EXPECT_NE(CompareBits(one_nan, other_nan), "");
}

TEST(ReferenceTensorTest, SumErrorIsCappedByTheCertainBound) {
  EXPECT_EQ(SumError(1, 3), 6);
  EXPECT_EQ(SumError(9999, 1), 400);
  EXPECT_EQ(SumError(0, 0), 0);
}

}  // namespace
}  // namespace tandem::conformance
