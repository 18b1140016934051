#include "tandem/backends/cpu/kernels/pooling.h"

#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/kernels/kernel_tester.h"
#include "tandem/core/ops/testing/kernel_checks.h"

namespace tandem::cpu_backend {
namespace {

class PoolingTest : public testing::TestWithParam<Isa> {
 protected:
  KernelTester tester_{GetParam()};

  void Check(const TestTensor& x, const PoolingAttributes& attrs) {
    CheckPooling([this](auto&&... request) { return tester_.Run(request...); }, x, attrs);
  }
};

TEST_P(PoolingTest, TwoByTwo) {
  for (int64_t height : {2, 3, 8, 24}) {
    for (int64_t width : {2, 3, 8, 9, 16, 17, 24, 31, 32, 33, 63, 64, 66}) {
      Check(RandomTensor({DType::kF32, {2, 3, height, width}}, 1), {{2, 2}});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(PoolingTest, Windows) {
  const TestTensor x = RandomTensor({DType::kF32, {2, 3, 13, 11}}, 1);
  for (bool ceil_mode : {false, true}) {
    for (bool count_include_pad : {false, true}) {
      Check(x, {{3, 3}, {2, 2}, {1, 1}, ceil_mode, count_include_pad});
      Check(x, {{3, 2}, {1, 1}, {2, 1, 0, 1}, ceil_mode, count_include_pad});
      Check(x, {{2, 2}, {3, 4}, {0, 0}, ceil_mode, count_include_pad});
      Check(x, {{2, 2}, {2, 2}, {0, 0}, ceil_mode, count_include_pad});
      Check(x, {{13, 11}, {}, {0, 0}, ceil_mode, count_include_pad});
    }
  }
}

// Rows of less than a vector of windows, of several, and of a part more; the last one of a plane.
TEST_P(PoolingTest, WideRows) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (int64_t width : {1, 2, 3, 4, 15, 16, 17, 18, 31, 33, 34, 35, 63, 66, 112}) {
    TestTensor x = RandomTensor({DType::kF32, {1, 2, 5, width}}, 1);
    for (size_t i = 3; i < x.values.size(); i += 23) x.values[i] = nan;
    x = MakeTensor(x.layout.spec, x.values);
    Check(x, {{3, 3}, {2, 2}, {1, 1}});
    Check(x, {{3, 3}, {1, 1}, {1, 1}});
    if (width < 2) continue;
    Check(x, {{2, 2}, {1, 1}});
    Check(x, {{3, 2}, {2, 2}});
    if (HasFatalFailure()) return;
  }
}

TEST_P(PoolingTest, TiesAndNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TestTensor x = MakeTensor({DType::kF32, {1, 1, 4, 4}},
                            {1, 1, 2, 3, 1, 1, 3, 3, nan, 5, 0, 1, nan, 9, nan, nan});
  Check(x, {{2, 2}});
  Check(x, {{3, 3}, {1, 1}});
}

TEST_P(PoolingTest, DTypes) {
  for (DType dtype : {DType::kF64, DType::kF16, DType::kBF16}) {
    Check(RandomTensor({dtype, {2, 3, 8, 18}}, 1), {{2, 2}});
    Check(RandomTensor({dtype, {2, 3, 8, 10}}, 1), {{3, 3}, {3, 3}});
    Check(RandomTensor({dtype, {2, 3, 5, 35}}, 1), {{3, 3}, {2, 2}, {1, 1}});
  }
}

TEST_P(PoolingTest, NoImages) { Check(RandomTensor({DType::kF32, {0, 3, 8, 8}}, 1), {{2, 2}}); }

INSTANTIATE_TEST_SUITE_P(Isas, PoolingTest, testing::ValuesIn(TestedIsas()),
                         [](const auto& info) { return IsaTestName(info.param); });

}  // namespace
}  // namespace tandem::cpu_backend
