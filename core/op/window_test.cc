#include "tandem/core/op/window.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using Ints = std::vector<int64_t>;
using ::testing::HasSubstr;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

AttributeMap ConvAttributes(Ints strides, Ints padding, Ints dilation, int64_t groups) {
  static const auto* schema = new AttributeSchema{
      AttributeDef::Optional("strides", Ints{1, 1}, ""),
      AttributeDef::Optional("padding", Ints{0, 0}, ""),
      AttributeDef::Optional("dilation", Ints{1, 1}, ""),
      AttributeDef::Optional("groups", 1, ""),
  };
  return *AttributeMap::Create(
      *schema,
      {{"strides", strides}, {"padding", padding}, {"dilation", dilation}, {"groups", groups}});
}

AttributeMap PoolAttributes(Ints kernel, Ints strides, Ints padding, bool ceil_mode,
                            bool count_include_pad = true) {
  static const auto* schema = new AttributeSchema{
      AttributeDef::Required("kernel", AttributeType::kInts, ""),
      AttributeDef::Optional("strides", Ints{}, ""),
      AttributeDef::Optional("padding", Ints{0, 0}, ""),
      AttributeDef::Optional("ceil_mode", false, ""),
      AttributeDef::Optional("count_include_pad", true, ""),
  };
  return *AttributeMap::Create(*schema, {{"kernel", kernel},
                                         {"strides", strides},
                                         {"padding", padding},
                                         {"ceil_mode", ceil_mode},
                                         {"count_include_pad", count_include_pad}});
}

TEST(Conv2dGeometry, LeNetLayer) {
  auto g = Conv2dGeometry::Create({16, 1, 28, 28}, {6, 1, 5, 5},
                                  ConvAttributes({1, 1}, {0, 0}, {1, 1}, 1));
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->output_shape(), Shape({16, 6, 24, 24}));
  EXPECT_EQ(g->input_shape(), Shape({16, 1, 28, 28}));
  EXPECT_EQ(g->weight_shape(), Shape({6, 1, 5, 5}));
}

TEST(Conv2dGeometry, EveryWindowFitsAndOneMoreWouldNot) {
  for (int64_t input : {1, 5, 8}) {
    for (int64_t kernel : {1, 3}) {
      for (int64_t stride : {1, 2, 5}) {
        for (int64_t dilation : {1, 2}) {
          for (int64_t before : {0, 2}) {
            for (int64_t after : {0, 3}) {
              auto g = Conv2dGeometry::Create(
                  {1, 1, input, 7}, {1, 1, kernel, 1},
                  ConvAttributes({stride, 1}, {before, 0, after, 0}, {dilation, 1}, 1));
              if (dilation * (kernel - 1) + 1 > input + before + after) {
                EXPECT_FALSE(g.ok());
                continue;
              }
              ASSERT_TRUE(g.ok()) << g.status();
              const WindowAxis& axis = g->height;
              EXPECT_EQ(axis.Position(0, 0), -before);
              EXPECT_LT(axis.Position(axis.output - 1, kernel - 1), input + after);
              EXPECT_GE(axis.Position(axis.output, kernel - 1), input + after);
            }
          }
        }
      }
    }
  }
}

TEST(Conv2dGeometry, FourPaddingsAreTopLeftBottomRight) {
  auto g = Conv2dGeometry::Create({2, 4, 5, 6}, {6, 2, 3, 3},
                                  ConvAttributes({1, 2}, {1, 2, 3, 4}, {1, 1}, 2));
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->height.pad_before, 1);
  EXPECT_EQ(g->width.pad_before, 2);
  EXPECT_EQ(g->height.pad_after, 3);
  EXPECT_EQ(g->width.pad_after, 4);
  EXPECT_EQ(g->output_shape(), Shape({2, 6, 7, 5}));
  EXPECT_EQ(g->group_in_channels(), 2);
  EXPECT_EQ(g->group_out_channels(), 3);
}

TEST(Conv2dGeometry, EmptyBatchIsFine) {
  auto g =
      Conv2dGeometry::Create({0, 1, 3, 3}, {2, 1, 3, 3}, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 1));
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->output_shape(), Shape({0, 2, 1, 1}));
}

TEST(Conv2dGeometry, Errors) {
  const Shape x = {1, 4, 5, 5};
  const Shape w = {4, 4, 3, 3};
  auto error = [](const Shape& x, const Shape& w, const AttributeMap& attrs) {
    return std::string(Conv2dGeometry::Create(x, w, attrs).status().message());
  };
  EXPECT_THAT(error({4, 5, 5}, w, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 1)), HasSubstr("rank 4"));
  EXPECT_THAT(error(x, {4, 4, 3}, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 1)), HasSubstr("rank 4"));
  EXPECT_THAT(error(x, w, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 0)), HasSubstr("groups"));
  EXPECT_THAT(error(x, w, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 3)), HasSubstr("groups"));
  EXPECT_THAT(error(x, w, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 2)), HasSubstr("4 / 2 = 2"));
  EXPECT_THAT(error(x, w, ConvAttributes({0, 1}, {0, 0}, {1, 1}, 1)), HasSubstr("strides"));
  EXPECT_THAT(error(x, w, ConvAttributes({1}, {0, 0}, {1, 1}, 1)), HasSubstr("strides"));
  EXPECT_THAT(error(x, w, ConvAttributes({1, 1}, {0, -1}, {1, 1}, 1)), HasSubstr("padding"));
  EXPECT_THAT(error(x, w, ConvAttributes({1, 1}, {0, 0, 0}, {1, 1}, 1)), HasSubstr("padding"));
  EXPECT_THAT(error(x, w, ConvAttributes({1, 1}, {0, 0}, {1, 3}, 1)), HasSubstr("width of 7"));
  EXPECT_THAT(error(x, {4, 4, 0, 3}, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 1)),
              HasSubstr("empty"));
  EXPECT_THAT(error({1, -4, 5, 5}, w, ConvAttributes({1, 1}, {0, 0}, {1, 1}, 1)),
              HasSubstr("negative"));
}

TEST(Conv2dGeometry, HugeNumbersAreErrors) {
  const Shape x = {1, 1, 5, 5};
  const Shape w = {1, 1, 3, 3};
  for (const AttributeMap& attrs : {ConvAttributes({1, 1}, {kHuge, 0}, {1, 1}, 1),
                                    ConvAttributes({1, 1}, {kHuge, 0, kHuge, 0}, {1, 1}, 1),
                                    ConvAttributes({1, 1}, {0, 0}, {1, kHuge}, 1),
                                    ConvAttributes({1, 1}, {0, 0}, {1, kHuge / 2}, 1)}) {
    EXPECT_FALSE(Conv2dGeometry::Create(x, w, attrs).ok());
  }
  EXPECT_TRUE(Conv2dGeometry::Create(x, w, ConvAttributes({kHuge, kHuge}, {0, 0}, {1, 1}, 1)).ok());
}

TEST(Conv2dGeometry, ALongerStepThanTheImageIsTheSameSingleWindow) {
  for (const int64_t stride : {int64_t{10}, int64_t{1000000000}, kHuge}) {
    auto g = Conv2dGeometry::Create({1, 1, 5, 6}, {1, 1, 3, 1},
                                    ConvAttributes({stride, stride}, {1, 0}, {1, kHuge}, 1));
    ASSERT_TRUE(g.ok()) << g.status();
    EXPECT_EQ(g->output_shape(), Shape({1, 1, 1, 1}));
    EXPECT_EQ(g->height.stride, 7);
    EXPECT_EQ(g->width.stride, 6);
    EXPECT_EQ(g->width.dilation, 1);
  }
}

TEST(Pool2dGeometry, ALongerStepThanTheImageIsTheSameSingleWindow) {
  for (const bool ceil_mode : {false, true}) {
    auto g = Pool2dGeometry::Create({1, 1, 5, 6},
                                    PoolAttributes({3, 2}, {kHuge, kHuge}, {1, 0}, ceil_mode));
    ASSERT_TRUE(g.ok()) << g.status();
    EXPECT_EQ(g->output_shape(), Shape({1, 1, 1, 1}));
    EXPECT_EQ(g->height.stride, 7);
    EXPECT_EQ(g->width.stride, 6);
  }
}

TEST(Pool2dGeometry, StridesDefaultToTheKernel) {
  auto g = Pool2dGeometry::Create({2, 3, 7, 8}, PoolAttributes({2, 3}, {}, {0, 0}, false));
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->output_shape(), Shape({2, 3, 3, 2}));
}

TEST(Pool2dGeometry, CeilModeKeepsWhatIsLeftOver) {
  auto g = Pool2dGeometry::Create({1, 1, 7, 8}, PoolAttributes({2, 3}, {}, {0, 0}, true));
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->output_shape(), Shape({1, 1, 4, 3}));
  // The last window would begin in the padding behind the input: dropped.
  g = Pool2dGeometry::Create({1, 1, 4, 4}, PoolAttributes({2, 2}, {3, 3}, {1, 1}, true));
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->height.output, 2);  // begins at -1 and 2; 5 is behind the input
}

TEST(Pool2dGeometry, EveryWindowHoldsAnElement) {
  for (int64_t input = 1; input < 8; ++input) {
    for (int64_t kernel = 1; kernel < 5; ++kernel) {
      for (int64_t stride = 1; stride < 6; ++stride) {
        for (int64_t padding = 0; padding < kernel; ++padding) {
          for (bool ceil_mode : {false, true}) {
            auto g = Pool2dGeometry::Create(
                {1, 1, input, 1},
                PoolAttributes({kernel, 1}, {stride, 1}, {padding, 0}, ceil_mode));
            if (kernel > input + 2 * padding) {
              EXPECT_FALSE(g.ok());
              continue;
            }
            ASSERT_TRUE(g.ok()) << g.status();
            ASSERT_GE(g->height.output, 1);
            for (int64_t o = 0; o < g->height.output; ++o) {
              EXPECT_LT(g->height.Begin(o), g->height.End(o));
              EXPECT_GE(g->height.PaddedSize(o), g->height.End(o) - g->height.Begin(o));
            }
          }
        }
      }
    }
  }
}

TEST(Pool2dGeometry, Divisor) {
  const Shape x = {1, 1, 3, 3};
  auto padded = *Pool2dGeometry::Create(x, PoolAttributes({2, 2}, {2, 2}, {1, 1}, false, true));
  EXPECT_EQ(padded.Divisor(0, 0), 4);
  auto bare = *Pool2dGeometry::Create(x, PoolAttributes({2, 2}, {2, 2}, {1, 1}, false, false));
  EXPECT_EQ(bare.Divisor(0, 0), 1);
  EXPECT_EQ(bare.Divisor(0, 1), 2);
  EXPECT_EQ(bare.Divisor(1, 1), 4);
  // What hangs over because of ceil_mode is not padding.
  auto over = *Pool2dGeometry::Create(x, PoolAttributes({2, 2}, {2, 2}, {0, 0}, true, true));
  EXPECT_EQ(over.Divisor(1, 1), 1);
}

TEST(Pool2dGeometry, Errors) {
  auto error = [](const Shape& x, const AttributeMap& attrs) {
    return std::string(Pool2dGeometry::Create(x, attrs).status().message());
  };
  EXPECT_THAT(error({1, 1, 4, 4}, PoolAttributes({2, 2}, {}, {2, 0}, false)),
              HasSubstr("padding must be smaller than the kernel"));
  EXPECT_THAT(error({1, 1, 4, 4}, PoolAttributes({5, 2}, {}, {0, 0}, false)),
              HasSubstr("larger than the input's height"));
  EXPECT_THAT(error({1, 1, 0, 4}, PoolAttributes({1, 1}, {}, {0, 0}, false)), HasSubstr("empty"));
  EXPECT_THAT(error({1, 4, 4}, PoolAttributes({1, 1}, {}, {0, 0}, false)), HasSubstr("rank 4"));
  EXPECT_THAT(error({1, 1, 4, 4}, PoolAttributes({}, {}, {0, 0}, false)), HasSubstr("kernel"));
  EXPECT_THAT(error({1, 1, 4, 4}, PoolAttributes({kHuge, 1}, {}, {kHuge - 1, 0}, true)),
              HasSubstr("overflow"));
}

}  // namespace
}  // namespace tandem
