#include "tandem/core/tensor/shape.h"

#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace tandem {
namespace {

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape({2, 3, 4}).num_elements(), 24);
  EXPECT_EQ(Shape().num_elements(), 1);
  EXPECT_EQ(Shape({5, 0, 7}).num_elements(), 0);
  EXPECT_EQ(Shape({2, 3}).ToString(), "[2,3]");
  EXPECT_EQ(Shape({kDynamic, 3}).ToString(), "[?,3]");
}

TEST(Shape, EnormousDimensionsAreRefusedNotMultiplied) {
  const int64_t big = int64_t{1} << 40;
  EXPECT_EQ(Shape({big, big}).num_elements(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Shape({big, big}).Validate().code(), absl::StatusCode::kResourceExhausted);
  // A zero does not hide the overflow of the others.
  EXPECT_FALSE(Shape({0, big, big}).Validate().ok());
  EXPECT_TRUE(Shape({0, 7}).Validate().ok());
  EXPECT_FALSE(Shape({2, -2}).Validate().ok());
  EXPECT_FALSE(Shape({2, kDynamic}).Validate().ok());
  EXPECT_TRUE(Shape({2, kDynamic}).Validate(/*allow_dynamic=*/true).ok());
}

TEST(Shape, TooManyDimensionsAreRememberedNotWritten) {
  Shape shape(std::vector<int64_t>(100, 2));
  EXPECT_TRUE(shape.overflowed());
  EXPECT_EQ(shape.rank(), kMaxRank);
  EXPECT_FALSE(shape.Validate().ok());
  shape.insert(0, 3);
  shape.erase(0);
  EXPECT_TRUE(shape.overflowed());
}

TEST(Shape, InsertAndErase) {
  Shape shape = {2, 4};
  shape.insert(1, 3);
  EXPECT_EQ(shape, Shape({2, 3, 4}));
  shape.insert(3, 5);
  EXPECT_EQ(shape, Shape({2, 3, 4, 5}));
  shape.erase(0);
  EXPECT_EQ(shape, Shape({3, 4, 5}));
}

TEST(Shape, Contiguity) {
  EXPECT_EQ(ContiguousStrides({2, 3, 4}), Strides({12, 4, 1}));
  EXPECT_TRUE(IsContiguous({2, 3}, {3, 1}));
  EXPECT_FALSE(IsContiguous({2, 3}, {1, 2}));
  EXPECT_TRUE(IsContiguous({1, 3}, {77, 1})) << "the stride of a size-1 dimension does not matter";
  EXPECT_TRUE(IsContiguous({0, 3}, {0, 0})) << "nothing is contiguous";
}

TEST(Shape, Broadcast) {
  EXPECT_EQ(*BroadcastShapes({5, 1, 3}, {4, 1}), Shape({5, 4, 3}));
  EXPECT_EQ(*BroadcastShapes({}, {2}), Shape({2}));
  EXPECT_EQ(*BroadcastShapes({0, 3}, {1, 3}), Shape({0, 3}));
  const absl::Status status = BroadcastShapes({2, 3}, {2, 4}).status();
  EXPECT_NE(status.message().find("[2,3]"), std::string::npos);
  EXPECT_NE(status.message().find("[2,4]"), std::string::npos);
  EXPECT_FALSE(BroadcastShapes({0}, {2}).ok());
}

TEST(Shape, Axis) {
  EXPECT_EQ(*NormalizeAxis(-1, 3), 2);
  EXPECT_FALSE(NormalizeAxis(3, 3).ok());
  EXPECT_FALSE(NormalizeAxis(0, 0).ok());
  EXPECT_FALSE(NormalizeAxis(std::numeric_limits<int64_t>::min(), 3).ok());
}

}  // namespace
}  // namespace tandem
