#include "tandem/backends/cpu/kernels/reduction.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"

namespace tandem::cpu_backend {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class ReductionTest : public testing::TestWithParam<Isa> {
 protected:
  KernelTester tester_{GetParam()};

  static DType ResultDType(const std::string& op, DType dtype) {
    if (IsFloating(dtype) || op == "max" || op == "min") return dtype;
    return op == "mean" ? DType::kF32 : DType::kI64;
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
    const double identity = op == "prod"  ? 1
                            : op == "max" ? -kInfinity
                            : op == "min" ? kInfinity
                                          : 0;
    std::vector<double> expected(kept, identity), magnitude(kept, 0);
    for (size_t e = 0; e < x.values.size(); ++e) {
      int64_t rest = e, at = 0, scale = 1;
      for (int i = rank - 1; i >= 0; --i) {
        const int64_t position = rest % shape[i];
        rest /= shape[i];
        if (mask != 0 && (mask >> i & 1) == 0) {
          at += position * scale;
          scale *= shape[i];
        }
      }
      double& y = expected[at];
      const double v = x.values[e];
      magnitude[at] += std::fabs(v);
      if (op == "prod")
        y *= v;
      else if (op == "max")
        y = std::fmax(y, v);
      else if (op == "min")
        y = std::fmin(y, v);
      else
        y += v;
    }
    const DType dtype = x.layout.spec.dtype;
    const DType result = ResultDType(op, dtype);
    const auto y = tester_.Run(op, {{"axes", axes}, {"keepdims", false}}, {x}, {{result, out}});
    ASSERT_EQ(y.size(), 1);
    for (int64_t i = 0; i < kept; ++i) {
      double bound = 0;
      double want = expected[i];
      if (op == "mean") {
        want /= static_cast<double>(count);
        magnitude[i] /= static_cast<double>(count);
      }
      if (IsFloating(result) && op != "max" && op != "min") {
        // Blocks of at most 4096 terms are added in f32, in 16 lanes or more: 256 roundings each.
        const double u = ComputeRoundoff(dtype);
        // A product may leave the range of normal numbers.
        bound =
            op == "prod" ? 2 * u * count * std::fabs(want) + 0x1p-149 : 2 * u * 16 * magnitude[i];
        bound += 1.01 * StorageRoundoff(result) * std::fabs(want);
      }
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(y[0][i]));
      } else if (want != y[0][i]) {
        ASSERT_LE(std::fabs(y[0][i] - want), bound)
            << op << " " << x.layout.spec.ToString() << " mask " << mask << " element " << i;
      }
    }
  }
};

TEST_P(ReductionTest, EverySetOfAxes) {
  for (const char* op : {"sum", "mean", "prod", "max", "min"}) {
    for (unsigned mask = 0; mask < 16; ++mask) {
      Check(op, RandomTensor({DType::kF32, {3, 1, 7, 65}}, 1), mask);
      Check(op, RandomTensor({DType::kF32, {2, 5, 3, 4}}, 2), mask);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ReductionTest, Sizes) {
  for (int64_t n : {1, 2, 7, 15, 16, 17, 31, 63, 64, 65, 129, 5000}) {
    for (const char* op : {"sum", "max", "min"}) {
      Check(op, RandomTensor({DType::kF32, {3, n}}, 1), 2);
      Check(op, RandomTensor({DType::kF32, {n, 3}}, 2), 1);
      Check(op, RandomTensor({DType::kF32, {n}}, 3), 0);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ReductionTest, LargeOnesAreCutIntoParts) {
  Check("sum", RandomTensor({DType::kF32, {1 << 20}}, 1), 0);
  Check("sum", RandomTensor({DType::kF32, {70000, 10}}, 2), 1);
  Check("mean", RandomTensor({DType::kF32, {64, 6, 24, 24}}, 3), 0b1101);
  Check("max", RandomTensor({DType::kF32, {300001}}, 4), 0);
}

TEST_P(ReductionTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16,
                      DType::kI32, DType::kI64, DType::kBool}) {
    for (const char* op : {"sum", "mean", "max", "min"}) {
      for (unsigned mask : {0u, 1u, 2u}) {
        if (dtype == DType::kBool && (op[0] == 'm' && op[1] != 'e')) continue;
        Check(op, RandomTensor({dtype, {9, 70}}, 3), mask);
      }
    }
  }
}

TEST_P(ReductionTest, MaxOfBoolIsBool) {
  const TestTensor x = MakeTensor({DType::kBool, {2, 2}}, {0, 1, 0, 0});
  const std::vector<AttributeInit> rows = {{"axes", std::vector<int64_t>{1}}, {"keepdims", false}};
  EXPECT_EQ(tester_.Run("max", rows, {x}, {{DType::kBool, {2}}})[0], (std::vector<double>{1, 0}));
}

TEST_P(ReductionTest, StridedInputs) {
  const TestTensor x = RandomTensor({DType::kF32, {6, 7, 40}}, 3);
  for (unsigned mask = 0; mask < 8; ++mask) {
    Check("sum", Restride(x, {2, 0, 1}, 1, 3), mask);
    Check("max", Restride(x, {1, 2, 0}, 2, 1), mask);
    TestTensor broadcast = x;
    for (size_t i = 0; i < broadcast.values.size(); ++i) broadcast.values[i] = x.values[i % 40];
    broadcast.layout.strides = {0, 0, 1};
    Check("sum", broadcast, mask);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ReductionTest, NoElements) {
  Check("sum", MakeTensor({DType::kF32, {3, 0}}, {}), 2);
  Check("prod", MakeTensor({DType::kF32, {3, 0}}, {}), 2);
  Check("mean", MakeTensor({DType::kF32, {3, 0}}, {}), 2);
  Check("sum", MakeTensor({DType::kF32, {0, 3}}, {}), 2);
  Check("max", MakeTensor({DType::kF32, {0, 3}}, {}), 2);
}

TEST_P(ReductionTest, NaNAndInfinity) {
  for (int64_t n : {3, 16, 40, 65}) {
    for (int64_t where = 0; where < n; ++where) {
      TestTensor x = RandomTensor({DType::kF32, {n}}, 3);
      x.values[where] = kNaN;
      const std::vector<AttributeInit> all = {{"axes", std::vector<int64_t>{}},
                                              {"keepdims", false}};
      for (const char* op : {"sum", "max", "min", "mean", "prod"}) {
        const auto y = tester_.Run(op, all, {x}, {{DType::kF32, {}}});
        EXPECT_TRUE(std::isnan(y[0][0])) << op << " " << where;
      }
      x.values[where] = kInfinity;
      EXPECT_EQ(tester_.Run("max", all, {x}, {{DType::kF32, {}}})[0][0], kInfinity);
      EXPECT_EQ(tester_.Run("sum", all, {x}, {{DType::kF32, {}}})[0][0], kInfinity);
    }
  }
}

TEST_P(ReductionTest, ArgMaxTakesTheFirst) {
  const TestTensor x = MakeTensor({DType::kF32, {2, 4}}, {1, 5, 5, 0, 2, kNaN, 7, kNaN});
  EXPECT_EQ(
      tester_.Run("argmax", {{"axis", -1}, {"keepdims", false}}, {x}, {{DType::kI64, {2}}})[0],
      (std::vector<double>{1, 1}));
  EXPECT_EQ(tester_.Run("argmin", {{"axis", 1}, {"keepdims", false}}, {x}, {{DType::kI64, {2}}})[0],
            (std::vector<double>{3, 1}));
  EXPECT_EQ(tester_.Run("argmax", {{"axis", 0}, {"keepdims", false}}, {x}, {{DType::kI64, {4}}})[0],
            (std::vector<double>{1, 1, 1, 1}));
  const TestTensor h = MakeTensor({DType::kF16, {3}}, {-1, -0.5, -0.5});
  EXPECT_EQ(tester_.Run("argmax", {{"axis", 0}, {"keepdims", false}}, {h}, {{DType::kI64, {}}})[0],
            (std::vector<double>{1}));
}

INSTANTIATE_TEST_SUITE_P(Isas, ReductionTest, testing::ValuesIn(TestedIsas()),
                         [](const auto& info) { return IsaTestName(info.param); });

}  // namespace
}  // namespace tandem::cpu_backend
