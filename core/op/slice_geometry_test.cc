#include "tandem/core/op/slice_geometry.h"

#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

// The indices taken from an axis of `n`.
std::vector<int64_t> Taken(int64_t n, int64_t begin, int64_t end, int64_t stride) {
  const SliceGeometry g = SliceGeometry::Create({n}, {begin}, {end}, {stride}).value();
  std::vector<int64_t> taken;
  for (int64_t i = 0; i < g.size[0]; ++i) taken.push_back(g.begin[0] + i * g.stride[0]);
  return taken;
}

using List = std::vector<int64_t>;

TEST(SliceGeometry, FollowsPython) {
  EXPECT_EQ(Taken(5, 1, 3, 1), (List{1, 2}));
  EXPECT_EQ(Taken(5, -2, kMax, 1), (List{3, 4}));
  EXPECT_EQ(Taken(5, kMin, kMax, 2), (List{0, 2, 4}));
  EXPECT_EQ(Taken(5, 1, 5, 3), (List{1, 4}));
  EXPECT_EQ(Taken(5, kMax, kMin, -1), (List{4, 3, 2, 1, 0}));
  EXPECT_EQ(Taken(5, -1, -6, -2), (List{4, 2, 0}));
  EXPECT_EQ(Taken(5, 3, 1, 1), List{});
  EXPECT_EQ(Taken(5, 1, 3, -1), List{});
  EXPECT_EQ(Taken(5, 7, 9, 1), List{});
  EXPECT_EQ(Taken(0, 0, kMax, 1), List{});
  EXPECT_EQ(Taken(0, kMax, kMin, -1), List{});
  EXPECT_EQ(Taken(5, 2, kMax, kMax), List{2});
  EXPECT_EQ(Taken(5, 2, kMin, kMin), List{2});
}

// Against the definition: i = begin, begin + stride, … while it is on the right side of end.
TEST(SliceGeometry, AllSmallCases) {
  for (int64_t n = 0; n <= 4; ++n) {
    for (int64_t begin = -6; begin <= 6; ++begin) {
      for (int64_t end = -6; end <= 6; ++end) {
        for (int64_t stride : {-3, -2, -1, 1, 2, 3}) {
          List expected;
          const int64_t first = begin < 0 ? begin + n : begin;
          const int64_t last = end < 0 ? end + n : end;
          if (stride > 0) {
            for (int64_t i = std::max<int64_t>(first, 0); i < std::min(last, n); i += stride) {
              expected.push_back(i);
            }
          } else {
            for (int64_t i = std::min(first, n - 1); i > std::max<int64_t>(last, -1); i += stride) {
              expected.push_back(i);
            }
          }
          EXPECT_EQ(Taken(n, begin, end, stride), expected)
              << n << " [" << begin << ":" << end << ":" << stride << "]";
        }
      }
    }
  }
}

TEST(SliceGeometry, OtherAxesAreTakenWhole) {
  const SliceGeometry g = SliceGeometry::Create({4, 3, 2}, {1}, {2}, {}).value();
  EXPECT_EQ(g.size, (Shape{1, 3, 2}));
  EXPECT_EQ(g.begin, (Dims{1, 0, 0}));
}

TEST(SliceGeometry, BadInputs) {
  EXPECT_THAT(SliceGeometry::Create({4}, {1}, {}, {}).status().message(), HasSubstr("length"));
  EXPECT_THAT(SliceGeometry::Create({4}, {1}, {2}, {1, 1}).status().message(), HasSubstr("length"));
  EXPECT_THAT(SliceGeometry::Create({4}, {1}, {2}, {0}).status().message(), HasSubstr("is 0"));
  EXPECT_THAT(SliceGeometry::Create({4}, {1, 1}, {2, 2}, {}).status().message(),
              HasSubstr("slices 2 axes of shape [4]"));
}

}  // namespace
}  // namespace tandem
