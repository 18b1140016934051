#include "tandem/backends/vulkan/elementwise/elementwise_plan.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Capabilities SomeDevice() {
  Capabilities capabilities;
  capabilities.storage_alignment = 64;
  return capabilities;
}

absl::StatusOr<ElementwisePlan> Plan(const std::vector<TensorLayout>& inputs, const Shape& shape,
                                     int width = 0, DType dtype = DType::kF32) {
  const TensorLayout output = TensorLayout::Contiguous({dtype, shape});
  return PlanElementwise("test", inputs, {output}, SomeDevice(), width);
}

TEST(ElementwisePlanTest, ContiguousAndUniform) {
  const TensorLayout x = TensorLayout::Contiguous({DType::kF32, {6, 100}});
  const TensorLayout one = TensorLayout::Contiguous({DType::kF32, {1, 1}});
  const ElementwisePlan plan = *Plan({x, one}, {6, 100});
  EXPECT_THAT(plan.variant.inputs, ElementsAre(InputAccess::kVector, InputAccess::kUniform));
  EXPECT_THAT(plan.parameters, ElementsAre(600, 0, 0));
  EXPECT_EQ(plan.variant.rank, 0);
  EXPECT_EQ(plan.groups, 2);  // 150 invocations
  EXPECT_EQ(plan.inputs[0].size, 2400);
  EXPECT_EQ(plan.inputs[1].size, 4);
  EXPECT_EQ(Plan({x, one}, {6, 100}, 1)->groups, 5);
}

TEST(ElementwisePlanTest, BindingsStartNearTheFirstElement) {
  TensorLayout x = TensorLayout::Contiguous({DType::kF16, {10}});
  x.offset = 1000;
  ElementwisePlan plan = *Plan({x}, {10}, 4, DType::kF16);
  EXPECT_EQ(plan.inputs[0].offset, 992 * 2);
  EXPECT_EQ(plan.inputs[0].size, 18 * 2);
  EXPECT_THAT(plan.parameters, ElementsAre(10, 8));
  EXPECT_EQ(plan.variant.inputs[0], InputAccess::kVector);
  x.offset = 1001;
  plan = *Plan({x}, {10}, 4, DType::kF16);
  EXPECT_EQ(plan.variant.inputs[0], InputAccess::kFlat);
  EXPECT_THAT(plan.parameters, ElementsAre(10, 9));
  // Backwards: the binding starts before the first element that is walked.
  x.strides = {-1};
  plan = *Plan({x}, {10}, 4, DType::kF16);
  EXPECT_EQ(plan.inputs[0].offset, 992 * 2);
  EXPECT_EQ(plan.inputs[0].size, 10 * 2);
  EXPECT_THAT(plan.parameters, ElementsAre(10, 9, ~0u));
}

TEST(ElementwisePlanTest, DimensionsThatStepAlikeAreJoined) {
  // A row for each row, over three dimensions: two remain.
  const TensorLayout row = TensorLayout::Contiguous({DType::kF32, {4, 8}});
  const ElementwisePlan plan = *Plan({row}, {5, 3, 4, 8}, 4);
  EXPECT_EQ(plan.variant.rank, 2);
  EXPECT_TRUE(plan.variant.whole_vectors);
  ASSERT_EQ(plan.parameters.size(), NumParameters(plan.variant));
  EXPECT_EQ(plan.parameters[2], 8u);  // 32 elements are 8 vectors
  EXPECT_EQ(plan.parameters[5], 0u);  // steps
  EXPECT_EQ(plan.parameters[6], 1u);
  // A column keeps its two.
  const TensorLayout column = {{DType::kF32, {4, 1}}, {1, 1}, 0};
  EXPECT_EQ(Plan({column}, {4, 7})->variant.rank, 2);
  EXPECT_FALSE(Plan({column}, {4, 7})->variant.whole_vectors);
  // Two inputs that step differently keep all three.
  const TensorLayout middle = {{DType::kF32, {3, 1}}, {1, 1}, 0};
  const TensorLayout transposed = {{DType::kF32, {2, 3, 4}}, {1, 8, 2}, 0};
  EXPECT_EQ(Plan({middle, transposed}, {2, 3, 4})->variant.rank, 3);
}

TEST(ElementwisePlanTest, ManyParametersGoToABuffer) {
  const Shape shape{2, 3, 2, 3, 2, 3, 2, 3};
  std::vector<TensorLayout> inputs;
  for (int i = 0; i < 3; ++i) {
    Shape own = shape;
    own[2 * i] = 1;
    inputs.push_back(TensorLayout::Contiguous({DType::kF32, own}));
    Strides& strides = inputs.back().strides;
    std::swap(strides[1], strides[7]);
    std::swap(strides[3], strides[5]);
  }
  const ElementwisePlan plan = *Plan(inputs, shape);
  EXPECT_EQ(plan.variant.rank, 8);
  EXPECT_TRUE(plan.variant.parameter_buffer);
  EXPECT_EQ(plan.parameters.size(), NumParameters(plan.variant));
}

TEST(ElementwisePlanTest, WhatDoesNotFit) {
  const TensorLayout x = TensorLayout::Contiguous({DType::kF32, {3}});
  EXPECT_THAT(Plan({x}, {4}).status().message(), HasSubstr("[3] does not broadcast to"));
  EXPECT_THAT(Plan({x}, {}).status().message(), HasSubstr("does not broadcast"));
  const TensorLayout spread = {{DType::kF32, {2}}, {int64_t{1} << 40}, 0};
  EXPECT_EQ(Plan({spread}, {2}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Plan({x}, {int64_t{1} << 31, 3}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Plan({TensorLayout::Contiguous({DType::kF32, {0}})}, {0})->groups, 0);
}

}  // namespace
}  // namespace tandem::vulkan_backend
