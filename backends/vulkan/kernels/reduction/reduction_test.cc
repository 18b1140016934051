#include "tandem/backends/vulkan/kernels/reduction/reduction.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/lane_testing.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class ReductionTest : public LaneTest {
 protected:
  ReductionTest() : LaneTest(&RegisterReductionKernels) {}

  static DType ResultDType(const std::string& op, DType dtype) {
    if (IsFloating(dtype) || op == "max" || op == "min") return dtype;
    return op == "mean" ? DType::kF32 : DType::kI64;
  }

  static double Identity(const std::string& op) {
    return op == "prod" ? 1 : op == "max" ? -kInfinity : op == "min" ? kInfinity : 0;
  }

  static void Accumulate(const std::string& op, double v, double* y) {
    if (op == "prod") {
      *y *= v;
    } else if (op == "max") {
      *y = std::fmax(*y, v);
    } else if (op == "min") {
      *y = std::fmin(*y, v);
    } else {
      *y += v;
    }
  }

  // `mask`: bit i for axis i; 0 stands for all axes, as axes=[].
  void Check(const std::string& op, const TestTensor& x, unsigned mask) {
    const Shape& shape = x.layout.spec.shape;
    const int rank = shape.rank();
    std::vector<int64_t> axes;
    Shape out;
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) {
      if (mask == 0 || (mask >> i & 1) != 0) {
        if (mask != 0) axes.push_back(i);
        count *= shape[i];
      } else {
        out.push_back(shape[i]);
      }
    }
    const int64_t kept = out.num_elements();
    std::vector<double> expected(kept, Identity(op)), magnitude(kept, 0);
    for (size_t e = 0; e < x.values.size(); ++e) {
      int64_t rest = static_cast<int64_t>(e), at = 0, scale = 1;
      for (int i = rank - 1; i >= 0; --i) {
        const int64_t position = rest % shape[i];
        rest /= shape[i];
        if (mask != 0 && (mask >> i & 1) == 0) {
          at += position * scale;
          scale *= shape[i];
        }
      }
      magnitude[at] += std::fabs(x.values[e]);
      Accumulate(op, x.values[e], &expected[at]);
    }
    const DType dtype = x.layout.spec.dtype;
    const DType result = ResultDType(op, dtype);
    const auto y = tester().Run(op, {{"axes", axes}, {"keepdims", false}}, {x}, {{result, out}});
    ASSERT_EQ(y.size(), 1);
    for (int64_t i = 0; i < kept; ++i) {
      double bound = 0;
      double want = expected[i];
      if (op == "mean") {
        want /= static_cast<double>(count);
        magnitude[i] /= static_cast<double>(count);
      }
      if (IsFloating(result) && op != "max" && op != "min") {
        // A lane adds a sixteenth of the terms or less, unless they are few.
        const double u = IsFloating(dtype) ? ComputeRoundoff(dtype) : 0x1p-24;
        const double roundings = 16 + std::sqrt(static_cast<double>(count) / 16);
        // A product may leave the range of normal numbers.
        bound = op == "prod" ? 2 * u * static_cast<double>(count) * std::fabs(want) + 0x1p-149
                             : u * roundings * magnitude[i];
        bound += 2 * StorageRoundoff(result) * std::fabs(want);
      }
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(y[0][i]));
      } else if (want != y[0][i]) {
        ASSERT_LE(std::fabs(y[0][i] - want), bound)
            << op << " " << x.layout.spec.ToString() << " mask " << mask << " element " << i << ": "
            << y[0][i] << " for " << want << " " << tester().description();
      }
    }
  }

  double Reduce(const std::string& op, const TestTensor& x) {
    const auto y = tester().Run(op, {{"axes", std::vector<int64_t>{}}, {"keepdims", false}}, {x},
                                {{ResultDType(op, x.layout.spec.dtype), {}}});
    return y.size() == 1 ? y[0][0] : -1;
  }

  std::vector<double> Arg(const char* op, int axis, const TestTensor& x) {
    Shape out = x.layout.spec.shape;
    out.erase(axis);
    const auto y =
        tester().Run(op, {{"axis", axis}, {"keepdims", false}}, {x}, {{DType::kI64, out}});
    return y.size() == 1 ? y[0] : std::vector<double>();
  }
};

TEST_P(ReductionTest, EverySetOfAxes) {
  for (unsigned mask = 0; mask < 16; ++mask) {
    Check("sum", RandomTensor({DType::kF32, {3, 1, 7, 65}}, 1), mask);
    Check("max", RandomTensor({DType::kF32, {2, 5, 3, 4}}, 2), mask);
    if (HasFatalFailure()) return;
  }
  for (unsigned mask : {0b0110u, 0b1001u}) {
    Check("prod", RandomTensor({DType::kF32, {2, 5, 3, 4}}, 2), mask);
  }
  // Four axes that cannot be joined, and as many that are kept.
  const TestTensor x = RandomTensor({DType::kI32, {2, 3, 2, 3, 2, 3, 2, 3}}, 3);
  for (unsigned mask : {0b10101010u, 0b01010101u, 0b00110110u}) Check("sum", x, mask);
}

TEST_P(ReductionTest, Sizes) {
  for (int64_t n : {1, 7, 63, 64, 65, 1000, 5000}) {
    for (const char* op : {"mean", "min"}) {
      Check(op, RandomTensor({DType::kF32, {3, n}}, 1), 2);
      Check(op, RandomTensor({DType::kF32, {n, 3}}, 2), 1);
      Check(op, RandomTensor({DType::kF32, {n}}, 3), 0);
      if (HasFatalFailure()) return;
    }
  }
  Check("sum", RandomTensor({DType::kF32, {5000, 7}}, 1), 2);
  Check("sum", RandomTensor({DType::kF32, {7, 5000}}, 1), 1);
}

TEST_P(ReductionTest, LargeOnesAreCutIntoParts) {
  Check("sum", RandomTensor({DType::kF32, {1 << 18}}, 1), 0);
  EXPECT_NE(tester().description().find("parts"), std::string::npos) << tester().description();
  Check("sum", RandomTensor({DType::kF32, {30000, 10}}, 2), 1);
  Check("mean", RandomTensor({DType::kF32, {64, 6, 24, 24}}, 3), 0b1101);
  Check("max", RandomTensor({DType::kF32, {100001}}, 4), 0);
  // Exact, so no element is lost or counted twice.
  Check("sum", RandomTensor({DType::kI32, {262147}}, 5), 0);
  Check("sum", RandomTensor({DType::kI64, {3, 100003}}, 6), 2);
  Check("min", RandomTensor({DType::kI32, {3, 100003}}, 7), 2);
}

TEST_P(ReductionTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16,
                      DType::kI32, DType::kI64, DType::kBool}) {
    const TestTensor x = RandomTensor({dtype, {9, 70}}, 3);
    Check("sum", x, 0);
    Check("sum", x, 1);
    for (const char* op : {"sum", "mean", "max", "min"}) Check(op, x, 2);
    if (HasFatalFailure()) return;
    if (!IsFloating(dtype)) Check("prod", RandomTensor({dtype, {11, 6}}, 3), 2);
  }
}

TEST_P(ReductionTest, IntegersAreWide) {
  const double low = -2147483648.0, high = 2147483647.0;
  EXPECT_EQ(Reduce("sum", MakeTensor({DType::kI32, {3}}, {high, high, high})), 3 * high);
  EXPECT_EQ(Reduce("sum", MakeTensor({DType::kI32, {3}}, {low, low, -1})), 2 * low - 1);
  EXPECT_EQ(Reduce("prod", MakeTensor({DType::kI32, {2}}, {low, high})), low * high);
  EXPECT_EQ(Reduce("prod", MakeTensor({DType::kI32, {3}}, {-3, 1 << 20, 1 << 20})), -3 * 0x1p40);
  EXPECT_EQ(Reduce("mean", MakeTensor({DType::kI32, {2}}, {low, low})), low);
  EXPECT_EQ(Reduce("mean", MakeTensor({DType::kI32, {2}}, {-5, 4})), -0.5);
  EXPECT_EQ(Reduce("max", MakeTensor({DType::kI32, {2}}, {low, -7})), -7);
  EXPECT_EQ(Reduce("min", MakeTensor({DType::kI32, {2}}, {low, high})), low);
  const double wide = 0x1p52;
  EXPECT_EQ(Reduce("max", MakeTensor({DType::kI64, {3}}, {-wide, -wide - 1, -wide - 2})), -wide);
  EXPECT_EQ(Reduce("max", MakeTensor({DType::kI64, {3}}, {-1, wide, wide + 1})), wide + 1);
  EXPECT_EQ(Reduce("min", MakeTensor({DType::kI64, {3}}, {4294967295.0, 4294967296.0, 5e9})),
            4294967295.0);
  EXPECT_EQ(Reduce("sum", MakeTensor({DType::kI64, {3}}, {wide, 4294967295.0, 1})),
            wide + 4294967296.0);
  EXPECT_EQ(Reduce("prod", MakeTensor({DType::kI64, {2}}, {-4294967297.0, 65537})),
            -4294967297.0 * 65537);
  // Wraps: 2^63 is -2^63.
  EXPECT_EQ(Reduce("sum", MakeTensor({DType::kI64, {2}}, {0x1p62, 0x1p62})), -0x1p63);
}

TEST_P(ReductionTest, StridedInputs) {
  const TestTensor x = RandomTensor({DType::kF32, {6, 7, 40}}, 3);
  for (unsigned mask = 0; mask < 8; ++mask) {
    Check("sum", Restride(x, {7, 1, 42}, 3), mask);
    Check("max", Restride(x, {2, 480, 12}, 1), mask);
    Check("sum", Restride(x, {-280, 40, -1}, 5 * 280 + 39), mask);
    TestTensor broadcast = x;
    for (size_t i = 0; i < broadcast.values.size(); ++i) broadcast.values[i] = x.values[i % 40];
    broadcast.layout.strides = {0, 0, 1};
    Check("sum", broadcast, mask);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ReductionTest, NoElements) {
  for (DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kI32, DType::kU8}) {
    Check("sum", MakeTensor({dtype, {3, 0}}, {}), 2);
    Check("prod", MakeTensor({dtype, {3, 0}}, {}), 2);
    Check("mean", MakeTensor({dtype, {3, 0}}, {}), 2);
    Check("sum", MakeTensor({dtype, {0, 3}}, {}), 2);
    Check("max", MakeTensor({dtype, {0, 3}}, {}), 2);
  }
}

TEST_P(ReductionTest, NaNAndInfinity) {
  for (DType dtype : {DType::kF32, DType::kF64}) {
    for (int64_t n : {3, 65, 1000}) {
      for (int64_t where : {int64_t{0}, int64_t{1}, n / 2, n - 1}) {
        TestTensor x = RandomTensor({dtype, {n}}, 3);
        x.values[where] = kNaN;
        for (const char* op : {"sum", "max", "min", "mean", "prod"}) {
          EXPECT_TRUE(std::isnan(Reduce(op, x))) << op << " " << where;
        }
        x.values[where] = kInfinity;
        EXPECT_EQ(Reduce("max", x), kInfinity);
        EXPECT_EQ(Reduce("sum", x), kInfinity);
        x.values[where] = -kInfinity;
        EXPECT_EQ(Reduce("min", x), -kInfinity);
      }
    }
    const TestTensor low = MakeTensor({dtype, {2}}, {-kInfinity, -kInfinity});
    EXPECT_EQ(Reduce("max", low), -kInfinity);
  }
}

TEST_P(ReductionTest, ArgTakesTheFirst) {
  const TestTensor x = MakeTensor({DType::kF32, {2, 4}}, {1, 5, 5, 0, 2, kNaN, 7, kNaN});
  EXPECT_EQ(Arg("argmax", 1, x), (std::vector<double>{1, 1}));
  EXPECT_EQ(Arg("argmin", 1, x), (std::vector<double>{3, 1}));
  EXPECT_EQ(Arg("argmax", 0, x), (std::vector<double>{1, 1, 1, 1}));
  EXPECT_EQ(Arg("argmax", 0, MakeTensor({DType::kF16, {3}}, {-1, -0.5, -0.5})),
            (std::vector<double>{1}));
  EXPECT_EQ(Arg("argmin", 0, MakeTensor({DType::kI64, {3}}, {4294967297.0, 2, 2})),
            (std::vector<double>{1}));
  EXPECT_EQ(Arg("argmax", 0, MakeTensor({DType::kF32, {3}}, {-kInfinity, -kInfinity, -kInfinity})),
            (std::vector<double>{0}));
}

TEST_P(ReductionTest, ArgSizes) {
  for (DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kI32, DType::kI64, DType::kU8,
                      DType::kBool}) {
    for (int64_t n : {1, 7, 65, 1000}) {
      for (int64_t inner : {1, 33}) {
        const TestTensor x = RandomTensor({dtype, {2, n, inner}}, static_cast<uint32_t>(n));
        std::vector<double> max(2 * inner), min(2 * inner);
        for (int64_t line = 0; line < 2 * inner; ++line) {
          const auto at = [&](double i) {
            return x.values[(line / inner * n + static_cast<int64_t>(i)) * inner + line % inner];
          };
          for (int64_t i = 1; i < n; ++i) {
            if (at(i) > at(max[line])) max[line] = static_cast<double>(i);
            if (at(i) < at(min[line])) min[line] = static_cast<double>(i);
          }
        }
        ASSERT_EQ(Arg("argmax", 1, x), max) << x.layout.spec.ToString();
        ASSERT_EQ(Arg("argmin", 1, x), min) << x.layout.spec.ToString();
      }
    }
  }
}

TEST_P(ReductionTest, TooLargeIsAnError) {
  const std::vector<AttributeInit> rows = {{"axes", std::vector<int64_t>{1}}, {"keepdims", false}};
  EXPECT_EQ(
      tester()
          .Prepare("sum", rows, {{DType::kF32, {1 << 16, 1 << 16}}}, {{DType::kF32, {1 << 16}}})
          .code(),
      absl::StatusCode::kResourceExhausted);
}

INSTANTIATE_TEST_SUITE_P(Variants, ReductionTest, testing::ValuesIn(kLaneVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
