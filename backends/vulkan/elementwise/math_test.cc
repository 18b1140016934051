// The functions of shaders/math_*.glsl and shaders/trig_*.glsl over all kinds of arguments.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/elementwise/expression_tester.h"

namespace tandem::vulkan_backend {
namespace {

constexpr ScalarOp kFunctions[] = {ScalarOp::kExp,   ScalarOp::kExpm1, ScalarOp::kLog,
                                   ScalarOp::kLog1p, ScalarOp::kTanh,  ScalarOp::kSin,
                                   ScalarOp::kCos};

// What <cmath> gives in the widest type, which is as good as exact here.
long double Exact(ScalarOp op, long double x) {
  switch (op) {
    case ScalarOp::kExp:
      return std::exp(x);
    case ScalarOp::kExpm1:
      return std::expm1(x);
    case ScalarOp::kLog:
      return std::log(x);
    case ScalarOp::kLog1p:
      return std::log1p(x);
    case ScalarOp::kTanh:
      return std::tanh(x);
    case ScalarOp::kSin:
      return std::sin(x);
    default:
      return std::cos(x);
  }
}

ScalarExpr Functions(DType dtype) {
  ScalarBuilder b;
  const ScalarValue x = b.Input(0, dtype);
  for (ScalarOp op : kFunctions) b.Output(b.Unary(op, x), dtype);
  return *b.Finish();
}

// Arguments of every sign and exponent (with inf and NaN), and many near 0 and around multiples of
// pi / 2.
TestArray Arguments(DType dtype) {
  constexpr int64_t kPerExponent = 192;
  if (dtype == DType::kF32) {
    return TestArray::OfBits(dtype, 512 * kPerExponent, [](int64_t i) {
      const uint64_t fraction = static_cast<uint64_t>(i % kPerExponent) * 43691 + i / kPerExponent;
      return (static_cast<uint64_t>(i / kPerExponent) << 23) | (fraction & 0x7FFFFF);
    });
  }
  constexpr int64_t kPerWideExponent = 24;
  return TestArray::OfBits(dtype, 4096 * kPerWideExponent, [](int64_t i) {
    const uint64_t fraction =
        static_cast<uint64_t>(i % kPerWideExponent) * 187649984473771 + static_cast<uint64_t>(i);
    return (static_cast<uint64_t>(i / kPerWideExponent) << 52) | (fraction & 0xFFFFFFFFFFFFF);
  });
}

TestArray MultiplesOfHalfPi(DType dtype) {
  constexpr int64_t kCount = 20000;
  std::vector<ScalarNumber> values;
  for (int64_t i = 0; i < kCount; ++i) {
    const double n = i < 10000 ? static_cast<double>(i)
                               : std::ldexp(1.0, 14 + (i - 10000) / 1000) + static_cast<double>(i);
    values.push_back(ScalarNumber::Real(ComputeType(dtype), n * 1.5707963267948966));
  }
  return TestArray::Make(dtype, values, {kCount});
}

// Every result is within 4 ulp of the exact one, and the CPU's if `as_cpu`.
void CheckFunctions(ExpressionTester& tester, DType dtype, const TestArray& x, bool as_cpu) {
  const ScalarExpr expr = Functions(dtype);
  const Shape shape = x.layout.spec.shape;
  const std::vector<TestArray> got = tester.Run(expr, {x}, shape);
  const std::vector<TestArray> cpu = tester.RunOnCpu(expr, {x}, shape);
  ASSERT_EQ(got.size(), std::size(kFunctions));
  for (size_t f = 0; f < got.size(); ++f) {
    const char* name = ScalarOpName(kFunctions[f]).data();
    double worst = 0;
    for (int64_t i = 0; i < shape[0]; ++i) {
      const ScalarNumber y = got[f].Get(i);
      const double argument = x.Get(i).real;
      const ScalarNumber exact = ScalarNumber::Real(
          ComputeType(dtype), static_cast<double>(Exact(kFunctions[f], argument)));
      const double ulps = UlpsBetween(y, exact);
      worst = std::max(worst, ulps);
      ASSERT_LE(ulps, 4) << name << "(" << argument << ") = " << y.real << ", exactly "
                         << exact.real;
      if (as_cpu) {
        ASSERT_TRUE(SameNumber(y, cpu[f].Get(i)))
            << name << "(" << argument << ") = " << y.real << ", on the CPU " << cpu[f].Get(i).real;
      }
    }
    testing::Test::RecordProperty(std::string(name) + "_ulps", std::to_string(worst));
  }
}

TEST(MathTest, EveryExponent) {
  ExpressionTester tester;
  if (!tester.available()) GTEST_SKIP() << "no Vulkan device: " << tester.reason();
  const bool exact = tester.device().capabilities().is_cpu;
  for (DType dtype : {DType::kF32, DType::kF64}) {
    CheckFunctions(tester, dtype, Arguments(dtype), exact);
    CheckFunctions(tester, dtype, MultiplesOfHalfPi(dtype), exact);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(MathTest, F32WithoutF64) {
  ExpressionTester tester("float64");
  if (!tester.available()) GTEST_SKIP() << "no Vulkan device: " << tester.reason();
  CheckFunctions(tester, DType::kF32, Arguments(DType::kF32), /*as_cpu=*/false);
  CheckFunctions(tester, DType::kF32, MultiplesOfHalfPi(DType::kF32), /*as_cpu=*/false);
}

}  // namespace
}  // namespace tandem::vulkan_backend
