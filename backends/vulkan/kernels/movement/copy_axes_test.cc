#include "tandem/backends/vulkan/kernels/movement/copy_axes.h"

#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

TEST(CopyAxesTest, MergesWhatLiesTogether) {
  const auto merged = [](const Shape& shape, const Strides& strides) {
    return MergedAxes({{DType::kF32, shape}, strides, 0});
  };
  EXPECT_EQ(merged({2, 3, 4}, {12, 4, 1}), (CopyAxes{{24, 1}}));
  EXPECT_EQ(merged({2, 3, 4}, {1, 2, 6}), (CopyAxes{{4, 6}, {3, 2}, {2, 1}}));
  EXPECT_EQ(merged({2, 1, 4}, {8, 99, 1}), (CopyAxes{{4, 1}, {2, 8}}));
  EXPECT_EQ(merged({2, 3, 4}, {0, 0, 1}), (CopyAxes{{4, 1}, {6, 0}}));
  EXPECT_EQ(merged({5, 4}, {-4, -1}), (CopyAxes{{20, -1}}));
  EXPECT_EQ(merged({}, {}), (CopyAxes{{1, 1}}));
}

TEST(CopyAxesTest, TransposesWherePaid) {
  EXPECT_EQ(TransposedAxis({{100, 1}, {100, 100}}), 0);         // contiguous
  EXPECT_EQ(TransposedAxis({{100, 100}, {100, 1}}), 1);         // a matrix
  EXPECT_EQ(TransposedAxis({{3, 4096}, {4096, 1}}), 0);         // three columns
  EXPECT_EQ(TransposedAxis({{64, 512}, {7, 64}, {64, 1}}), 2);  // the second of three
  EXPECT_EQ(TransposedAxis({{64, 0}, {64, 1}}), 0);             // broadcast
}

}  // namespace
}  // namespace tandem::vulkan_backend
