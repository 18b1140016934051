#include "tandem/backends/cpu/kernels/matmul.h"

#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"

namespace tandem::cpu_backend {
namespace {

class MatmulTest : public testing::TestWithParam<Isa> {
 protected:
  KernelTester tester_{GetParam()};

  // Compares with sums in f64, with room for the rounding of every product and sum: c u sqrt(k)
  // times the sum of the terms' magnitudes, and the rounding of the result.
  void Check(const TestTensor& a, const TestTensor& b, bool transpose_a, bool transpose_b) {
    const Shape& as = a.layout.spec.shape;
    const Shape& bs = b.layout.spec.shape;
    const DType dtype = a.layout.spec.dtype;
    const int ar = as.rank(), br = bs.rank();
    const int64_t m = transpose_a ? as[ar - 1] : as[ar - 2];
    const int64_t k = transpose_a ? as[ar - 2] : as[ar - 1];
    const int64_t n = transpose_b ? bs[br - 2] : bs[br - 1];
    const Shape a_batch(as.span().subspan(0, ar - 2)), b_batch(bs.span().subspan(0, br - 2));
    Shape out = BroadcastShapes(a_batch, b_batch).value();
    const Shape batch = out;
    out.push_back(m);
    out.push_back(n);
    const auto results =
        tester_.Run("matmul", {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}}, {a, b},
                    {{dtype, out}});
    ASSERT_EQ(results.size(), 1);
    const auto start = [&](const Shape& own, int64_t index) {
      int64_t at = 0, scale = 1;
      for (int i = batch.rank() - 1, j = own.rank() - 1; i >= 0; --i, --j) {
        const int64_t position = index % batch[i];
        index /= batch[i];
        if (j >= 0) {
          at += (own[j] == 1 ? 0 : position) * scale;
          scale *= own[j];
        }
      }
      return at;
    };
    const double u = ComputeRoundoff(dtype);
    for (int64_t p = 0; p < batch.num_elements(); ++p) {
      const double* x = a.values.data() + start(a_batch, p) * m * k;
      const double* y = b.values.data() + start(b_batch, p) * k * n;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0, magnitude = 0;
          for (int64_t l = 0; l < k; ++l) {
            const double term = (transpose_a ? x[l * m + i] : x[i * k + l]) *
                                (transpose_b ? y[j * k + l] : y[l * n + j]);
            sum += term;
            magnitude += std::fabs(term);
          }
          const double bound = 2 * u * std::sqrt(k + 1.0) * magnitude +
                               1.01 * StorageRoundoff(dtype) * std::fabs(sum);
          const double expected = IsFloating(dtype) ? sum : RoundTo(dtype, sum);
          ASSERT_LE(std::fabs(results[0][(p * m + i) * n + j] - expected), bound)
              << "[" << p << "," << i << "," << j << "] of " << as.ToString() << " "
              << bs.ToString() << (transpose_a ? " ta" : "") << (transpose_b ? " tb" : "");
        }
      }
    }
  }
};

TEST_P(MatmulTest, SizesAndTransposes) {
  const int64_t sizes[] = {1, 2, 7, 15, 33, 65};
  uint32_t seed = 1;
  for (int64_t m : sizes) {
    for (int64_t n : sizes) {
      for (int64_t k : {0, 1, 7, 31, 64, 300}) {
        for (int flags = 0; flags < 4; ++flags) {
          const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
          const Shape a = ta ? Shape{k, m} : Shape{m, k};
          const Shape b = tb ? Shape{n, k} : Shape{k, n};
          seed += 2;
          Check(RandomTensor({DType::kF32, a}, seed), RandomTensor({DType::kF32, b}, seed + 1), ta,
                tb);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(MatmulTest, EmptyResults) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{0, 3}, {3, 0}, {0, 0}}) {
    Check(RandomTensor({DType::kF32, {m, 5}}, 1), RandomTensor({DType::kF32, {5, n}}, 2), false,
          false);
  }
}

TEST_P(MatmulTest, SeveralBlocksOfEveryKind) {
  // More than a row block, a group of panels and a block of k.
  Check(RandomTensor({DType::kF32, {257, 515}}, 1), RandomTensor({DType::kF32, {515, 161}}, 2),
        false, false);
  Check(RandomTensor({DType::kF32, {515, 257}}, 3), RandomTensor({DType::kF32, {161, 515}}, 4),
        true, true);
}

TEST_P(MatmulTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16,
                      DType::kI32, DType::kI64}) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
      Check(RandomTensor({dtype, ta ? Shape{19, 37} : Shape{37, 19}}, 5),
            RandomTensor({dtype, tb ? Shape{23, 19} : Shape{19, 23}}, 6), ta, tb);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(MatmulTest, IntegersWrap) {
  const auto y = tester_.Run(
      "matmul", {{"transpose_a", false}, {"transpose_b", false}},
      {MakeTensor({DType::kI8, {1, 2}}, {100, 100}), MakeTensor({DType::kI8, {2, 1}}, {2, 1})},
      {{DType::kI8, {1, 1}}});
  EXPECT_EQ(y[0][0], 300 - 256);
}

TEST_P(MatmulTest, BatchesBroadcast) {
  const DType t = DType::kF32;
  Check(RandomTensor({t, {3, 5, 7}}, 1), RandomTensor({t, {3, 7, 9}}, 2), false, false);
  Check(RandomTensor({t, {3, 5, 7}}, 1), RandomTensor({t, {7, 9}}, 2), false, false);
  Check(RandomTensor({t, {3, 5, 7}}, 1), RandomTensor({t, {9, 7}}, 2), false, true);
  Check(RandomTensor({t, {3, 7, 5}}, 1), RandomTensor({t, {7, 9}}, 2), true, false);
  Check(RandomTensor({t, {5, 7}}, 1), RandomTensor({t, {4, 7, 9}}, 2), false, false);
  Check(RandomTensor({t, {2, 1, 5, 7}}, 1), RandomTensor({t, {1, 3, 7, 9}}, 2), false, false);
  Check(RandomTensor({t, {2, 1, 40, 64}}, 1), RandomTensor({t, {64, 33}}, 2), false, false);
  Check(RandomTensor({t, {0, 5, 7}}, 1), RandomTensor({t, {7, 9}}, 2), false, false);
}

TEST_P(MatmulTest, StridedOperands) {
  const DType t = DType::kF32;
  for (int64_t step : {1, 3}) {
    for (int order = 0; order < 4; ++order) {
      const std::vector<int> a_axes = (order & 1) ? std::vector<int>{1, 0} : std::vector<int>{0, 1};
      const std::vector<int> b_axes = (order & 2) ? std::vector<int>{1, 0} : std::vector<int>{0, 1};
      Check(Restride(RandomTensor({t, {35, 70}}, 1), a_axes, step, 5),
            Restride(RandomTensor({t, {70, 41}}, 2), b_axes, step, 2), false, false);
      Check(Restride(RandomTensor({t, {2, 70}}, 1), a_axes, step, 5),
            Restride(RandomTensor({t, {41, 70}}, 2), b_axes, step, 2), false, true);
    }
  }
  // Attention: heads are an inner axis.
  Check(Restride(RandomTensor({t, {2, 3, 5, 8}}, 1), {0, 2, 1, 3}, 1, 0),
        Restride(RandomTensor({t, {2, 3, 5, 8}}, 2), {0, 2, 1, 3}, 1, 0), false, true);
}

TEST_P(MatmulTest, Vectors) {
  const std::vector<AttributeInit> none = {{"transpose_a", false}, {"transpose_b", false}};
  const TestTensor v = MakeTensor({DType::kF32, {3}}, {1, 2, 3});
  const TestTensor m = MakeTensor({DType::kF32, {3, 2}}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(tester_.Run("matmul", none, {v, m}, {{DType::kF32, {2}}})[0],
            (std::vector<double>{22, 28}));
  EXPECT_EQ(tester_.Run("matmul", none, {v, v}, {{DType::kF32, {}}})[0], (std::vector<double>{14}));
  const TestTensor w = MakeTensor({DType::kF32, {2}}, {10, 1});
  EXPECT_EQ(tester_.Run("matmul", none, {m, w}, {{DType::kF32, {3}}})[0],
            (std::vector<double>{12, 34, 56}));
}

TEST_P(MatmulTest, RefusesMixedDTypes) {
  const std::vector<AttributeInit> none = {{"transpose_a", false}, {"transpose_b", false}};
  EXPECT_FALSE(tester_.Supports(
      "matmul", none,
      {RandomTensor({DType::kF32, {2, 2}}, 1), RandomTensor({DType::kF64, {2, 2}}, 2)},
      {{DType::kF32, {2, 2}}}));
}

INSTANTIATE_TEST_SUITE_P(Isas, MatmulTest, testing::ValuesIn(TestedIsas()),
                         [](const auto& info) { return IsaTestName(info.param); });

}  // namespace
}  // namespace tandem::cpu_backend
