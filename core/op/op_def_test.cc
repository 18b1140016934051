#include "tandem/core/op/op_def.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace tandem {
namespace {

OpDef Toy(std::string name, InferFn infer) {
  OpDef def;
  def.name = std::move(name);
  def.inputs = {{"lhs", ""}, {"rhs", ""}};
  def.infer = std::move(infer);
  return def;
}

absl::StatusOr<SpecList> Same(const InferContext& c) { return SpecList{c.input(0)}; }

TEST(OpRegistry, NamesAreUnique) {
  OpRegistry registry;
  ASSERT_TRUE(registry.Register(Toy("matmul", Same)).ok());
  EXPECT_EQ(registry.Register(Toy("matmul", Same)).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(registry.Register(Toy("", Same)).ok());
  EXPECT_FALSE(registry.Register(Toy("no_inference", nullptr)).ok());
  EXPECT_EQ(registry.ops().size(), 1);
}

TEST(OpRegistry, SuggestsASimilarName) {
  OpRegistry registry;
  ASSERT_TRUE(registry.Register(Toy("softmax", Same)).ok());
  ASSERT_TRUE(registry.Register(Toy("matmul", Same)).ok());
  EXPECT_NE(registry.Get("mat_mul").status().message().find("did you mean 'matmul'"),
            std::string::npos);
  EXPECT_EQ(registry.Get("conv3d").status().message().find("did you mean"), std::string::npos);
  // A name from a file may be anything.
  EXPECT_FALSE(registry.Get(std::string(1 << 20, 'x')).ok());
}

TEST(InferSpecs, ErrorsNameOpShapesRuleAndHint) {
  OpRegistry registry;
  ASSERT_TRUE(registry.Register(Toy("toy", [](const InferContext& c) -> absl::StatusOr<SpecList> {
                        return c.Error("they differ", "reshape one");
                      })).ok());
  const OpDef& op = *registry.Find("toy");
  const TensorSpec a{DType::kF32, {2, 3}}, b{DType::kF32, {4, 5}};
  EXPECT_EQ(InferSpecs(op, AttributeMap(), {&a, &b}).status().message(),
            "toy(lhs f32[2,3], rhs f32[4,5]): they differ; reshape one");
  EXPECT_NE(InferSpecs(op, AttributeMap(), {&a}).status().message().find("takes 2 inputs, 1 given"),
            std::string::npos);
}

TEST(InferSpecs, RefusesResultsThatNoMemoryCanHold) {
  OpRegistry registry;
  ASSERT_TRUE(
      registry.Register(Toy("outer", [](const InferContext& c) -> absl::StatusOr<SpecList> {
                return SpecList{
                    {DType::kF32, {c.input(0).shape[0], c.input(1).shape[0]}}};
              })).ok());
  const TensorSpec big{DType::kF32, {int64_t{1} << 40}};
  const absl::Status status =
      InferSpecs(*registry.Find("outer"), AttributeMap(), {&big, &big}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("outer("), std::string::npos);
}

TEST(InferSpecs, UndefinedTensorsAreNamed) {
  OpRegistry registry;
  ASSERT_TRUE(registry.Register(Toy("toy", Same)).ok());
  const Tensor undefined[2];
  EXPECT_EQ(InferSpecs(*registry.Find("toy"), AttributeMap(), undefined).status().message(),
            "toy: lhs is undefined");
}

}  // namespace
}  // namespace tandem
