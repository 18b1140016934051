#include "tandem/core/op/reduction_geometry.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using GeometryRun = ReductionGeometry::Run;

TEST(ReductionGeometry, SomeAxes) {
  auto g = ReductionGeometry::Create({2, 3, 4}, {0, -1}, false);
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->output, Shape({3}));
  EXPECT_EQ(g->kept, Shape({1, 3, 1}));
  EXPECT_EQ(g->count, 8);
  EXPECT_THAT(g->runs,
              ElementsAre(GeometryRun{2, true}, GeometryRun{3, false}, GeometryRun{4, true}));
  EXPECT_EQ(ReductionGeometry::Create({2, 3, 4}, {0, -1}, true)->output, Shape({1, 3, 1}));
}

TEST(ReductionGeometry, NoAxesAreAllAxes) {
  auto g = ReductionGeometry::Create({2, 3, 4}, {}, false);
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->output, Shape());
  EXPECT_EQ(g->count, 24);
  EXPECT_THAT(g->runs, ElementsAre(GeometryRun{24, true}));
}

TEST(ReductionGeometry, NeighboursMergeAndOnesVanish) {
  auto g = ReductionGeometry::Create({2, 3, 1, 5, 7, 1}, {3, 4, 5}, false);
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_THAT(g->runs, ElementsAre(GeometryRun{6, false}, GeometryRun{35, true}));
}

TEST(ReductionGeometry, ScalarsAndEmptyAxes) {
  auto scalar = ReductionGeometry::Create({}, {}, false);
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_EQ(scalar->count, 1);
  EXPECT_THAT(scalar->runs, IsEmpty());
  auto empty = ReductionGeometry::Create({2, 0}, {1}, false);
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->count, 0);
  EXPECT_EQ(empty->output, Shape({2}));
}

TEST(ReductionGeometry, Errors) {
  EXPECT_THAT(ReductionGeometry::Create({2, 3}, {2}, false).status().message(),
              HasSubstr("out of range"));
  EXPECT_THAT(ReductionGeometry::Create({2, 3}, {1, -1}, false).status().message(),
              HasSubstr("named twice"));
  EXPECT_FALSE(ReductionGeometry::Create({}, {0}, false).ok());
}

TEST(AxisGeometry, AroundAnAxis) {
  auto g = AxisGeometry::Create({2, 3, 4, 5}, -3);
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->axis, 1);
  EXPECT_EQ(g->outer, 2);
  EXPECT_EQ(g->size, 3);
  EXPECT_EQ(g->inner, 20);
  EXPECT_FALSE(AxisGeometry::Create({2}, 1).ok());
  EXPECT_FALSE(AxisGeometry::Create({}, 0).ok());
}

}  // namespace
}  // namespace tandem
