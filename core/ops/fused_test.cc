#include "tandem/core/ops/fused.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tandem/core/op/op_body.h"
#include "tandem/core/ops/reference_invoker.h"
#include "tandem/core/ops/standard_ops.h"

namespace tandem {
namespace {

using testing::HasSubstr;

class FusedTest : public testing::Test {
 protected:
  FusedTest() { EXPECT_TRUE(RegisterStandardOps(&registry_).ok()); }

  const OpDef& Op(absl::string_view name) { return *registry_.Find(name); }
  int32_t Add(OpBody::Builder& builder, absl::string_view op, std::vector<int32_t> inputs,
              std::vector<AttributeInit> attrs = {}) {
    auto map = AttributeMap::Create(Op(op).attributes, attrs);
    EXPECT_TRUE(map.ok()) << map.status();
    auto value = builder.Add(Op(op), *map, inputs);
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? *value : 0;
  }
  // relu(matmul(%0, %1) + %2)
  Ref<const OpBody> Dense() {
    OpBody::Builder builder({{DType::kF64, {2, 3}}, {DType::kF64, {3, 2}}, {DType::kF64, {2}}});
    const int32_t product = Add(builder, "matmul", {0, 1});
    const int32_t sum = Add(builder, "add", {product, 2});
    return *builder.Finish({Add(builder, "relu", {sum})});
  }
  // sum(x * x) and exp(x)
  Ref<const OpBody> TwoOutputs() {
    OpBody::Builder builder({{DType::kF64, {3}}});
    const int32_t square = Add(builder, "mul", {0, 0});
    const int32_t total = Add(builder, "sum", {square});
    return *builder.Finish({total, Add(builder, "exp", {0})});
  }

  OpRegistry registry_;
};

TEST_F(FusedTest, InfersThroughItsBody) {
  const OpDef& fused = Op("fused");
  const AttributeMap attrs = *AttributeMap::Create(fused.attributes, {{"body", Dense()}});
  const TensorSpec a{DType::kF32, {5, 3}}, w{DType::kF32, {3, 7}}, b{DType::kF32, {7}};
  EXPECT_EQ(InferSpecs(fused, attrs, {&a, &w, &b}).value(), (SpecList{{DType::kF32, {5, 7}}}));
  const std::string error(InferSpecs(fused, attrs, {&w, &a, &b}).status().message());
  EXPECT_THAT(error, HasSubstr("fused(inputs[0] f32[3,7], inputs[1] f32[5,3], inputs[2] f32[7])"));
  EXPECT_THAT(error, HasSubstr("matmul"));
  EXPECT_THAT(std::string(InferSpecs(fused, attrs, {&a}).status().message()),
              HasSubstr("the body takes 3 inputs, 1 is given"));
  EXPECT_EQ(fused.num_outputs(*AttributeMap::Create(fused.attributes, {{"body", TwoOutputs()}})),
            2);
}

TEST_F(FusedTest, RunsAsItsSteps) {
  ReferenceInvoker invoker(&registry_);
  const auto make = [](const Shape& shape, std::vector<double> values) {
    return ReferenceInvoker::Make({DType::kF64, shape}, std::move(values));
  };
  const auto two =
      invoker.Invoke("fused", {make({3}, {1, 2, 0})}, {{"body", TwoOutputs()}}, nullptr);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_THAT(ReferenceInvoker::Values((*two)[0]), testing::ElementsAre(5));
  EXPECT_EQ(ReferenceInvoker::Values((*two)[1])[2], 1);
}

}  // namespace
}  // namespace tandem
