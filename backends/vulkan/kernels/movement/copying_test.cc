#include "tandem/backends/vulkan/kernels/movement/copying.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/vulkan/kernels/kernel_tester.h"
#include "tandem/backends/vulkan/kernels/variants.h"

namespace tandem::vulkan_backend {
namespace {

class CopyingTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    if (!tester_.available()) GTEST_SKIP() << tester_.reason();
  }

  // Copies random values that lie as the strides say, and expects a kernel that calls itself
  // `kernel`, or none where the device cannot address the elements.
  void Check(DType dtype, const Shape& shape, const Strides& strides, int64_t offset,
             const std::string& kernel) {
    SCOPED_TRACE(testing::Message() << DTypeName(dtype) << shape.ToString() << " strides "
                                    << strides.ToString() << " offset " << offset);
    const TensorSpec spec = {dtype, shape};
    const Capabilities& c = tester_.device().capabilities();
    if ((DTypeSize(dtype) == 1 && !c.storage8) || (DTypeSize(dtype) == 2 && !c.storage16)) {
      EXPECT_TRUE(absl::IsNotFound(tester_.Prepare("identity", {}, {spec}, {spec})));
      return;
    }
    TestTensor x = Restride(RandomTensor(spec, 1), strides, offset);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (strides[axis] != 0) continue;
      // One element for a whole axis: all slices are equal.
      int64_t inner = 1;
      for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
      for (int64_t i = 0; i < shape.num_elements(); ++i) {
        x.values[i] = x.values[i / (inner * shape[axis]) * (inner * shape[axis]) + i % inner];
      }
    }
    const auto y = tester_.Run("identity", {}, {x}, {spec});
    ASSERT_EQ(y.size(), 1u);
    EXPECT_EQ(y[0], x.values);
    EXPECT_EQ(tester_.description().substr(0, kernel.size()), kernel);
  }

  // As on a GPU, whatever the device is.
  KernelTester tester_{{&RegisterCopyingKernels}, [](Capabilities* c) {
                         GetParam().restrict(c);
                         c->is_cpu = false;
                       }};
};

TEST_P(CopyingTest, EveryDTypeAndLayout) {
  for (int d = 0; d < kNumDTypes; ++d) {
    const DType dtype = static_cast<DType>(d);
    Check(dtype, {}, {}, 3, "copy, 1 axes");
    Check(dtype, {37}, {1}, 0, "copy, 1 axes");
    Check(dtype, {37}, {-1}, 36, "copy, 1 axes");
    Check(dtype, {5, 64}, {64, 1}, 64, "copy, 1 axes, 16-byte units");
    Check(dtype, {5, 64}, {128, 1}, 128, "copy, 2 axes, 16-byte units");
    Check(dtype, {5, 7}, {1, 5}, 1, "copy, 2 axes");
    Check(dtype, {4, 3, 5}, {0, 10, 2}, 1, "copy, 2 axes");
    Check(dtype, {3, 4, 5}, {10, 0, 2}, 0, "copy, 3 axes");
    Check(dtype, {33, 65}, {1, 33}, 0, "transpose");
    Check(dtype, {16, 16}, {1, 40}, 300, "transpose");
  }
}

TEST_P(CopyingTest, Transposes) {
  Check(DType::kF32, {64, 64}, {1, 64}, 0, "transpose");
  Check(DType::kF32, {1, 100, 31}, {0, 1, 100}, 0, "transpose");
  // Heads of attention: [batch, head, time, depth] from [batch, time, head, depth], transposed.
  Check(DType::kF32, {2, 3, 20, 40}, {2400, 20, 1, 60}, 5, "transpose");
  // Backwards along the columns.
  Check(DType::kF32, {20, 30}, {1, -20}, 29 * 20, "transpose");
  // NHWC from NCHW and back.
  Check(DType::kF32, {2, 5, 6, 17}, {510, 6, 1, 30}, 0, "transpose");
  Check(DType::kF32, {2, 17, 5, 6}, {510, 1, 102, 17}, 0, "transpose");
}

// A driver that runs on a CPU takes tiles without shared memory, for what its caches do not hold.
TEST(CopyingOnCpuTest, TransposesLargeMatrices) {
  KernelTester tester({&RegisterCopyingKernels}, [](Capabilities* c) { c->is_cpu = true; });
  if (!tester.available()) GTEST_SKIP() << tester.reason();
  const TensorSpec large = {DType::kF32, {33, 16500}}, small = {DType::kF32, {33, 165}};
  const TestTensor x = Restride(RandomTensor(large, 1), {1, 33}, 0);
  EXPECT_EQ(tester.Run("identity", {}, {x}, {large})[0], x.values);
  EXPECT_EQ(tester.description(), "transpose, 32x32 tiles of 4 bytes");
  const TestTensor y = Restride(RandomTensor(small, 1), {1, 33}, 0);
  EXPECT_EQ(tester.Run("identity", {}, {y}, {small})[0], y.values);
  EXPECT_EQ(tester.description(), "copy, 2 axes, 4-byte units");
}

TEST_P(CopyingTest, EightAxes) {
  Check(DType::kF32, {2, 2, 2, 2, 2, 2, 2, 2}, {1, 2, 4, 8, 16, 32, 64, 128}, 0, "copy, 8 axes");
  Check(DType::kF32, {2, 2, 2, 2, 2, 2, 16, 16}, {256, 512, 1024, 2048, 4096, 8192, 1, 16}, 0,
        "transpose");
}

TEST_P(CopyingTest, RefusesMoreThanIndicesReach) {
  const TensorSpec huge = {DType::kF32, {int64_t{1} << 31}};
  const absl::Status status = tester_.Prepare("identity", {}, {huge}, {huge});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

INSTANTIATE_TEST_SUITE_P(Devices, CopyingTest, testing::ValuesIn(kMovementVariants),
                         VariantName<testing::TestParamInfo<Variant>>);

}  // namespace
}  // namespace tandem::vulkan_backend
