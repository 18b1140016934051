#include "tandem/core/op/matmul_geometry.h"

#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

MatmulGeometry Create(const Shape& a, const Shape& b, bool ta = false, bool tb = false) {
  auto g = MatmulGeometry::Create(a, b, ta, tb);
  EXPECT_TRUE(g.ok()) << g.status();
  return g.ok() ? *g : MatmulGeometry();
}

std::string Error(const Shape& a, const Shape& b, bool ta = false, bool tb = false) {
  return std::string(MatmulGeometry::Create(a, b, ta, tb).status().message());
}

TEST(MatmulGeometry, Matrices) {
  for (bool ta : {false, true}) {
    for (bool tb : {false, true}) {
      const MatmulGeometry g =
          Create(ta ? Shape{3, 2} : Shape{2, 3}, tb ? Shape{4, 3} : Shape{3, 4}, ta, tb);
      EXPECT_EQ(g.m, 2);
      EXPECT_EQ(g.n, 4);
      EXPECT_EQ(g.k, 3);
      EXPECT_EQ(g.transpose_a, ta);
      EXPECT_EQ(g.transpose_b, tb);
      EXPECT_EQ(g.num_batches, 1);
      EXPECT_EQ(g.output, Shape({2, 4}));
    }
  }
}

TEST(MatmulGeometry, VectorsIgnoreTheirFlag) {
  for (bool flag : {false, true}) {
    MatmulGeometry g = Create({3}, {3}, flag, flag);
    EXPECT_EQ(g.output, Shape());
    EXPECT_FALSE(g.transpose_a);
    EXPECT_FALSE(g.transpose_b);
    g = Create({3}, {5, 3, 4}, flag, false);
    EXPECT_EQ(g.output, Shape({5, 4}));
    EXPECT_EQ(g.m, 1);
    g = Create({5, 2, 3}, {3}, false, flag);
    EXPECT_EQ(g.output, Shape({5, 2}));
    EXPECT_EQ(g.n, 1);
  }
}

TEST(MatmulGeometry, BatchesBroadcast) {
  const MatmulGeometry g = Create({7, 1, 2, 3}, {5, 3, 4});
  EXPECT_EQ(g.output, Shape({7, 5, 2, 4}));
  EXPECT_EQ(g.batch, Shape({7, 5}));
  EXPECT_EQ(g.num_batches, 35);
  EXPECT_EQ(g.a_batch_strides, Strides({6, 0}));
  EXPECT_EQ(g.b_batch_strides, Strides({0, 12}));
}

TEST(MatmulGeometry, ZeroSizes) {
  EXPECT_EQ(Create({0, 3}, {3, 4}).output, Shape({0, 4}));
  EXPECT_EQ(Create({2, 0}, {0, 4}).output, Shape({2, 4}));
  EXPECT_EQ(Create({0, 2, 3}, {3, 4}).num_batches, 0);
}

TEST(MatmulGeometry, Errors) {
  EXPECT_THAT(Error({}, {3}), HasSubstr("scalar"));
  EXPECT_THAT(Error({2, 3}, {4, 5}), HasSubstr("3 (last axis of a) and 4 (rows of b)"));
  EXPECT_THAT(Error({2, 3}, {4, 3}), HasSubstr("transpose_b=true would fit"));
  EXPECT_THAT(Error({3, 2}, {3, 5}), HasSubstr("transpose_a=true would fit"));
  EXPECT_THAT(Error({2, 2, 3}, {3, 3, 4}), HasSubstr("batches must broadcast"));
}

TEST(MatmulGeometry, AResultTooLargeIsAnError) {
  const int64_t large = int64_t{1} << 40;
  EXPECT_FALSE(MatmulGeometry::Create({large, 1}, {1, large}, false, false).ok());
  EXPECT_FALSE(MatmulGeometry::Create({large, 1, 1, 1}, {large, 1, 1}, false, false).ok());
}

}  // namespace
}  // namespace tandem
