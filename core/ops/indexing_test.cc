#include "tandem/core/ops/indexing.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Gather, Inference) {
  EXPECT_EQ(Infer("gather", {"f32[5,6]", "i64[2,3]"}), "f32[2,3,6]");
  EXPECT_EQ(Infer("gather", {"bool[5,6]", "u8[]"}, {{"axis", -1}}), "bool[5]");
  EXPECT_EQ(Infer("gather", {"f32[0,6]", "i64[0]"}), "f32[0,6]");
  EXPECT_THAT(Infer("gather", {"f32[0,6]", "i64[1]"}), HasSubstr("size 0, no index is valid"));
  EXPECT_THAT(Infer("gather", {"f32[5]", "f32[1]"}), HasSubstr("integer dtype"));
  EXPECT_THAT(Infer("gather", {"f32[]", "i64[1]"}), HasSubstr("scalar"));
  EXPECT_THAT(Infer("gather", {"f32[1,1,1,1,1]", "i64[1,1,1,1,1]"}), HasSubstr("more than 8"));
  EXPECT_THAT(Infer("gather", {"f32[1,1099511627776]", "i64[1099511627776]"}),
              HasSubstr("more elements than memory can have"));
}

TEST(Gather, BackwardInference) {
  EXPECT_EQ(Infer("gather_backward", {"f32[2,3,6]", "i64[2,3]"}, {{"size", 5}}), "f32[5,6]");
  EXPECT_EQ(Infer("gather_backward", {"f32[5]", "i64[]"}, {{"axis", -1}, {"size", 6}}), "f32[5,6]");
  EXPECT_THAT(Infer("gather_backward", {"f32[2,4,6]", "i64[2,3]"}, {{"size", 5}}),
              HasSubstr("must be those of indices, [2,3], not [2,4]"));
  EXPECT_THAT(Infer("gather_backward", {"f32[2]", "i64[2,3]"}, {{"size", 5}}),
              HasSubstr("at least the 2 dimensions"));
  EXPECT_THAT(Infer("gather_backward", {"f32[2]", "i64[2]"}, {{"size", -1}}),
              HasSubstr("size must not be negative"));
  EXPECT_THAT(Infer("gather_backward", {"f32[2]", "i64[2]"}, {{"size", 0}}),
              HasSubstr("no index is valid"));
  EXPECT_THAT(Infer("gather_backward", {"f32[1,2]", "i64[1]"},
                    {{"size", std::numeric_limits<int64_t>::max()}}),
              HasSubstr("more elements than memory can have"));
}

TEST(Gather, IndicesClipAndGradientsAdd) {
  const Tensor x = F64({3}, {10, 20, 30});
  const Tensor indices = I64({4}, {2, 0, 9, -5});
  EXPECT_THAT(RunOp("gather", {x, indices}), ElementsAre(30, 10, 30, 10));
  EXPECT_THAT(RunGradient("gather", {x, indices}, {}, {1, 2, 4, 8}), ElementsAre(10, 0, 5));
}

TEST(Gather, Gradients) {
  for (int axis : {0, 1, 2, -2}) {
    ExpectGradients({.op = "gather",
                     .inputs = {RandomInput({2, 3, 2}, 1), I64({2, 2}, {1, 0, 1, 1})},
                     .attrs = {{"axis", axis}}});
  }
  ExpectGradients(
      {.op = "gather", .inputs = {RandomInput({2, 3}, 1), I64({}, {1})}, .attrs = {{"axis", 1}}});
  ExpectGradients({.op = "gather_backward",
                   .inputs = {RandomInput({3, 2}, 1), I64({3}, {1, 0, 1})},
                   .attrs = {{"size", 4}}});
}

TEST(Embedding, IsAGatherOfRows) {
  EXPECT_EQ(Infer("embedding", {"i32[2,3]", "f32[100,16]"}), "f32[2,3,16]");
  EXPECT_THAT(Infer("embedding", {"f32[2,3]", "f32[100,16]"}), HasSubstr("integer dtype"));
  EXPECT_THAT(Infer("embedding", {"i32[2,3]", "f32[]"}), HasSubstr("rank 1 or more"));
  EXPECT_THAT(Infer("embedding", {"i32[2,3]", "f32[0,4]"}), HasSubstr("no index is valid"));
  EXPECT_THAT(RunOp("embedding", {I64({2}, {1, 0}), F64({2, 2}, {1, 2, 3, 4})}),
              ElementsAre(3, 4, 1, 2));
  ExpectGradients(
      {.op = "embedding", .inputs = {I64({2}, {1, 1}), RandomInput({3, 2}, 1)}, .attrs = {}});
}

TEST(OneHot, Inference) {
  EXPECT_EQ(Infer("one_hot", {"i64[2]"}, {{"depth", 3}}), "f32[2,3]");
  EXPECT_EQ(Infer("one_hot", {"u8[]"}, {{"depth", 0}, {"dtype", DType::kBool}}), "bool[0]");
  EXPECT_THAT(Infer("one_hot", {"i64[2]"}, {{"depth", -1}}), HasSubstr("must not be negative"));
  EXPECT_THAT(Infer("one_hot", {"f32[2]"}, {{"depth", 3}}), HasSubstr("integer dtype"));
  EXPECT_THAT(Infer("one_hot", {"i64[2]"}, {{"depth", std::numeric_limits<int64_t>::max()}}),
              HasSubstr("more elements than memory can have"));
  EXPECT_THAT(Infer("one_hot", {"i64[2]"}), HasSubstr("'depth'"));
}

TEST(OneHot, OutOfRangeIsOff) {
  EXPECT_THAT(RunOp("one_hot", {I64({3}, {1, -1, 2})}, {{"depth", 2}, {"on", 5.0}, {"off", -1.0}}),
              ElementsAre(-1, 5, -1, -1, -1, -1));
}

}  // namespace
}  // namespace tandem
