#include "tandem/core/ops/linear_algebra.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/core/ops/testing/op_testing.h"

namespace tandem {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Attrs Flags(bool a, bool b) { return {{"transpose_a", a}, {"transpose_b", b}}; }

TEST(Matmul, Shapes) {
  EXPECT_EQ(Infer("matmul", {"f32[2,3]", "f32[3,4]"}), "f32[2,4]");
  EXPECT_EQ(Infer("matmul", {"f16[3,2]", "f16[4,3]"}, Flags(true, true)), "f16[2,4]");
  EXPECT_EQ(Infer("matmul", {"f32[5,1,2,3]", "f32[6,3,4]"}), "f32[5,6,2,4]");
  EXPECT_EQ(Infer("matmul", {"f32[3]", "f32[3]"}), "f32[]");
  EXPECT_EQ(Infer("matmul", {"f32[3]", "f32[5,3,4]"}), "f32[5,4]");
  EXPECT_EQ(Infer("matmul", {"i32[2,0]", "i32[0,4]"}), "i32[2,4]");
}

TEST(Matmul, Errors) {
  EXPECT_THAT(Infer("matmul", {"f32[2,3]", "f32[4,5]"}),
              AllOf(HasSubstr("matmul(a f32[2,3], b f32[4,5])"),
                    HasSubstr("inner dimensions must be equal")));
  EXPECT_THAT(Infer("matmul", {"f32[2,3]", "f64[3,4]"}), HasSubstr("must have one dtype"));
  EXPECT_THAT(Infer("matmul", {"bool[2,3]", "bool[3,4]"}), HasSubstr("bool"));
  EXPECT_THAT(Infer("matmul", {"f32[]", "f32[3]"}), HasSubstr("scalar"));
  EXPECT_THAT(Infer("matmul", {"f32[1099511627776,1]", "f32[1,1099511627776]"}),
              HasSubstr("more elements than memory can have"));
}

TEST(Matmul, Values) {
  const Tensor a = F64({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(RunOp("matmul", {a, F64({3}, {1, 0, -1})}), ElementsAre(-2, -2));
  EXPECT_THAT(RunOp("matmul", {a, a}, Flags(false, true)), ElementsAre(14, 32, 32, 77));
}

TEST(Matmul, GradientsForAllFlags) {
  for (bool ta : {false, true}) {
    for (bool tb : {false, true}) {
      const Attrs flags = Flags(ta, tb);
      const Shape a = ta ? Shape{3, 2} : Shape{2, 3};
      const Shape b = tb ? Shape{4, 3} : Shape{3, 4};
      auto batched = [](const Shape& matrix, Shape batch) {
        batch.push_back(matrix[0]);
        batch.push_back(matrix[1]);
        return batch;
      };
      ExpectGradients(
          {.op = "matmul", .inputs = {RandomInput(a, 1), RandomInput(b, 2)}, .attrs = flags});
      ExpectGradients({.op = "matmul",
                       .inputs = {RandomInput(batched(a, {2}), 1), RandomInput(b, 2)},
                       .attrs = flags});
      ExpectGradients({.op = "matmul",
                       .inputs = {RandomInput(a, 1), RandomInput(batched(b, {2}), 2)},
                       .attrs = flags});
      ExpectGradients(
          {.op = "matmul",
           .inputs = {RandomInput(batched(a, {2, 1}), 1), RandomInput(batched(b, {1, 3}), 2)},
           .attrs = flags});
      ExpectGradients({.op = "matmul",
                       .inputs = {RandomInput({3}, 1), RandomInput(batched(b, {2}), 2)},
                       .attrs = flags});
      ExpectGradients({.op = "matmul",
                       .inputs = {RandomInput(batched(a, {2}), 1), RandomInput({3}, 2)},
                       .attrs = flags});
      ExpectGradients(
          {.op = "matmul", .inputs = {RandomInput({3}, 1), RandomInput({3}, 2)}, .attrs = flags});
      ExpectGradients({.op = "matmul",
                       .inputs = {RandomInput(batched(a, {0}), 1), RandomInput(b, 2)},
                       .attrs = flags});
    }
  }
}

TEST(Matmul, GradientsOfMatricesNeedNoTranspose) {
  ReferenceTape invoker(StandardOps());
  const std::vector<Tensor> inputs = {RandomInput({2, 3}, 1), RandomInput({3, 4}, 2)};
  auto y = invoker.Invoke("matmul", inputs, {}, nullptr);
  ASSERT_TRUE(y.ok()) << y.status();
  ASSERT_TRUE(invoker.Gradients({(*y)[0]}, {RandomInput({2, 4}, 3)}, inputs).ok());
  EXPECT_THAT(invoker.trace(), ElementsAre("matmul", "matmul", "matmul"));
}

TEST(Matmul, OneMatrixForABatchIsOneProduct) {
  ReferenceTape invoker(StandardOps());
  const std::vector<Tensor> inputs = {RandomInput({5, 2, 3}, 1), RandomInput({3, 4}, 2)};
  auto y = invoker.Invoke("matmul", inputs, {}, nullptr);
  ASSERT_TRUE(y.ok()) << y.status();
  ASSERT_TRUE(invoker.Gradients({(*y)[0]}, {RandomInput({5, 2, 4}, 3)}, inputs).ok());
  EXPECT_THAT(invoker.trace(), Not(Contains("sum")));
}

TEST(Dot, Shapes) {
  EXPECT_EQ(Infer("dot", {"f32[2,3]", "f32[3,4]"}), "f32[2,4]");
  EXPECT_EQ(Infer("dot", {"f32[5,2,3]", "f32[3,4,6]"}), "f32[5,2,4,6]");
  EXPECT_EQ(Infer("dot", {"f32[16,84]", "f32[10,84]"}, {{"transpose_b", true}}), "f32[16,10]");
  EXPECT_EQ(Infer("dot", {"f32[3,5,2]", "f32[4,6,3]"}, Flags(true, true)), "f32[5,2,4,6]");
  EXPECT_EQ(Infer("dot", {"f32[3]", "f32[3]"}), "f32[]");
  EXPECT_THAT(Infer("dot", {"f32[2,3]", "f32[4,3]"}), HasSubstr("they are 3 and 4"));
  EXPECT_THAT(Infer("dot", {"f32[]", "f32[3]"}), HasSubstr("scalar"));
  EXPECT_THAT(Infer("dot", {"f32[1,1,1,1,3]", "f32[3,1,1,1,1,1]"}),
              HasSubstr("more than 8 dimensions"));
}

TEST(Dot, DecomposesToMatmul) {
  const Tensor a = F64({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(RunOp("dot", {a, a}, Flags(false, true)), ElementsAre(14, 32, 32, 77));
  EXPECT_THAT(RunOp("dot", {F64({2}, {3, 4}), F64({2}, {5, 6})}), ElementsAre(39));
  EXPECT_THAT(RunOp("dot", {F64({2, 0}, {}), F64({0, 2}, {})}), ElementsAre(0, 0, 0, 0));
}

TEST(Dot, Gradients) {
  ExpectGradients(
      {.op = "dot", .inputs = {RandomInput({2, 2, 3}, 1), RandomInput({3, 2, 2}, 2)}, .attrs = {}});
  ExpectGradients({.op = "dot",
                   .inputs = {RandomInput({3, 2, 2}, 1), RandomInput({2, 2, 3}, 2)},
                   .attrs = Flags(true, true)});
}

}  // namespace
}  // namespace tandem
