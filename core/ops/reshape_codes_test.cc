#include "tandem/core/ops/reshape_codes.h"

#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::string Resolve(const Shape& input, const std::vector<int64_t>& codes,
                    bool allow_zero = false) {
  const auto shape = ResolveReshape(input, codes, allow_zero);
  return shape.ok() ? shape->ToString() : std::string(shape.status().message());
}

// The examples of MXNet's documentation of reshape. R19
TEST(ReshapeCodes, DocumentedExamples) {
  EXPECT_EQ(Resolve({2, 3, 4}, {4, 0, 2}), "[4,3,2]");
  EXPECT_EQ(Resolve({2, 3, 4}, {2, 0, 0}), "[2,3,4]");
  EXPECT_EQ(Resolve({2, 3, 4}, {6, 1, -1}), "[6,1,4]");
  EXPECT_EQ(Resolve({2, 3, 4}, {3, -1, 8}), "[3,1,8]");
  EXPECT_EQ(Resolve({2, 3, 4}, {-1}), "[24]");
  EXPECT_EQ(Resolve({2, 3, 4}, {-2}), "[2,3,4]");
  EXPECT_EQ(Resolve({2, 3, 4}, {2, -2}), "[2,3,4]");
  EXPECT_EQ(Resolve({2, 3, 4}, {-2, 1, 1}), "[2,3,4,1,1]");
  EXPECT_EQ(Resolve({2, 3, 4}, {-3, 4}), "[6,4]");
  EXPECT_EQ(Resolve({2, 3, 4, 5}, {-3, -3}), "[6,20]");
  EXPECT_EQ(Resolve({2, 3, 4}, {0, -3}), "[2,12]");
  EXPECT_EQ(Resolve({2, 3, 4}, {-3, -2}), "[6,4]");
  EXPECT_EQ(Resolve({2, 3, 4}, {-4, 1, 2, -2}), "[1,2,3,4]");
  EXPECT_EQ(Resolve({2, 3, 4}, {2, -4, -1, 3, -2}), "[2,1,3,4]");
}

// R18 flattens with (0, -1). R19
TEST(ReshapeCodes, FlattensABatchOfAnySize) {
  EXPECT_EQ(Resolve({16, 16, 4, 4}, {0, -1}), "[16,256]");
  EXPECT_EQ(Resolve({0, 16, 4, 4}, {0, -1}), "[0,256]");
  EXPECT_EQ(Resolve({16, 0, 4}, {0, -1}), "[16,0]");
}

// R19
TEST(ReshapeCodes, ZeroSizedInputs) {
  EXPECT_EQ(Resolve({0, 3}, {-1, 3}), "[0,3]");
  EXPECT_EQ(Resolve({0, 3}, {-3}), "[0]");
  EXPECT_EQ(Resolve({0, 3}, {-4, -1, 2, 0}), "[0,2,3]");
  EXPECT_EQ(Resolve({3, 0}, {-1, 5}), "[0,5]");
  EXPECT_EQ(Resolve({3, 0}, {0, 0}), "[3,0]");
  EXPECT_EQ(Resolve({3, 0}, {0, 7}, true), "[0,7]");
  EXPECT_EQ(Resolve({0}, {7, 0, 0}, true), "[7,0,0]");
  EXPECT_THAT(Resolve({0, 3}, {0, -1}, true), HasSubstr("ambiguous"));
}

TEST(ReshapeCodes, Scalars) {
  EXPECT_EQ(Resolve({}, {}), "[]");
  EXPECT_EQ(Resolve({}, {1, -1}), "[1,1]");
  EXPECT_EQ(Resolve({1, 1}, {}), "[]");
  EXPECT_EQ(Resolve({}, {-2}), "[]");
}

// R19
TEST(ReshapeCodes, Errors) {
  EXPECT_EQ(Resolve({2, 3}, {4}),
            "cannot reshape [2,3] with codes [4]: gives [4], 4 elements where the input has 6");
  EXPECT_THAT(Resolve({2, 3}, {-1, -1}), HasSubstr("only one"));
  EXPECT_THAT(Resolve({2, 3}, {-1, 4}), HasSubstr("make 6 of 4 times a whole number"));
  EXPECT_THAT(Resolve({2}, {0, 0}), HasSubstr("code 0 (copy) has no dimension"));
  EXPECT_THAT(Resolve({2}, {-3}), HasSubstr("code -3 (merge two) has no dimension"));
  EXPECT_THAT(Resolve({6}, {-4, 4, -1}), HasSubstr("cannot split 6 into 4 and 1"));
  EXPECT_THAT(Resolve({6}, {-4, 2}), HasSubstr("needs two numbers"));
  EXPECT_THAT(Resolve({6}, {-4, -1, -1}), HasSubstr("two positive numbers"));
  EXPECT_THAT(Resolve({6}, {-4, 0, 6}), HasSubstr("two positive numbers"));
  EXPECT_THAT(Resolve({6}, {-5, 6}), HasSubstr("no code -5"));
  EXPECT_THAT(Resolve({1}, std::vector<int64_t>(1000, 1)), HasSubstr("at most 8 dimensions"));
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(Resolve({1}, {kMax, kMax}), HasSubstr("overflow"));
  EXPECT_FALSE(ResolveReshape({6}, {{-4, kMax, kMax}}, false).ok());
}

}  // namespace
}  // namespace tandem
