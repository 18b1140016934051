#include "tandem/backends/vulkan/kernels/contraction/contraction.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace tandem::vulkan_backend {
namespace {

using Method = ContractionPlan::Method;

// A GPU of the usual kind.
Capabilities Gpu() {
  Capabilities c;
  c.float64 = c.int64 = c.storage16 = c.subgroups = true;
  c.subgroup_size = 32;
  c.max_workgroup_invocations = 1024;
  c.shared_memory_bytes = 49152;
  return c;
}

Capabilities Cpu() {
  Capabilities c = Gpu();
  c.is_cpu = true;
  c.subgroup_size = 8;
  return c;
}

ContractionShape Shape(int64_t rows, int64_t columns, int64_t depth) {
  ContractionShape shape;
  shape.rows = rows;
  shape.columns = columns;
  shape.depth = depth;
  return shape;
}

// What every plan must keep to, or its shader reads and writes the wrong elements.
void ExpectSound(const Capabilities& capabilities, const ContractionShape& shape,
                 const ContractionPlan& plan) {
  SCOPED_TRACE(plan.ToString());
  EXPECT_LE(plan.threads * plan.slices, capabilities.max_workgroup_invocations);
  EXPECT_GE(plan.parts, 1);
  EXPECT_EQ(plan.parts > 1 ? plan.depth_of_part % plan.block_depth : 0, 0);
  EXPECT_GE(plan.parts * plan.depth_of_part, shape.depth);
  // No part is empty.
  EXPECT_LT((plan.parts - 1) * plan.depth_of_part, std::max<int64_t>(shape.depth, 1));
  if (plan.method != Method::kTile) return;
  EXPECT_EQ(plan.threads,
            plan.block_rows / plan.thread_rows * (plan.block_columns / plan.thread_columns));
  const auto expect_fetches = [&](bool along_k, bool by_four, uint32_t lines) {
    const uint32_t vector = by_four ? 4 : 1;
    const uint32_t fast = (along_k ? plan.block_depth : lines) / vector;
    EXPECT_EQ(plan.threads % fast, 0u);
    EXPECT_EQ(lines * plan.block_depth % (plan.threads * vector), 0u);
  };
  expect_fetches(shape.left_along_k, plan.left_by_four, plan.block_rows);
  expect_fetches(shape.right_along_k, plan.right_by_four, plan.block_columns);
  EXPECT_EQ(plan.checked, shape.rows % plan.block_rows != 0 ||
                              shape.columns % plan.block_columns != 0 ||
                              shape.depth % plan.block_depth != 0);
}

TEST(ContractionTest, EveryPlanIsSound) {
  for (const Capabilities& capabilities : {Gpu(), Cpu(), Capabilities()}) {
    for (int64_t rows : {1, 3, 16, 17, 64, 1000, 4096}) {
      for (int64_t columns : {1, 30, 128, 50000}) {
        for (int64_t depth : {0, 1, 31, 512, 20000}) {
          for (const DType dtype : {DType::kF32, DType::kF64}) {
            for (int flags = 0; flags < 4; ++flags) {
              ContractionShape shape = Shape(rows, columns, depth);
              shape.dtype = dtype;
              shape.left_along_k = (flags & 1) != 0;
              shape.right_along_k = (flags & 2) != 0;
              shape.left_by_four = shape.right_by_four = true;
              shape.right_by_pairs = shape.right_along_k && dtype == DType::kF32 && depth % 4 == 0;
              ExpectSound(capabilities, shape, PlanContraction(capabilities, shape));
              for (const ContractionPlan& plan : AllContractionPlans(capabilities, shape)) {
                ExpectSound(capabilities, shape, plan);
              }
              if (HasFailure()) return;
            }
          }
        }
      }
    }
  }
}

TEST(ContractionTest, LargeProductsTakeLargeTiles) {
  const ContractionPlan plan = PlanContraction(Gpu(), Shape(4096, 4096, 4096));
  EXPECT_EQ(plan.ToString(), "tile 128x128x16, unchecked");
}

TEST(ContractionTest, SmallerProductsTakeSmallerTilesAndParts) {
  const ContractionPlan medium = PlanContraction(Gpu(), Shape(512, 512, 64));
  EXPECT_EQ(medium.method, Method::kTile);
  EXPECT_LT(medium.block_rows * medium.block_columns, 128u * 128u);
  // One block of results and a long sum.
  const ContractionPlan deep = PlanContraction(Gpu(), Shape(32, 32, 1 << 16));
  EXPECT_EQ(deep.method, Method::kTile);
  EXPECT_GT(deep.parts, 1);
}

TEST(ContractionTest, FewRows) {
  ContractionShape dense = Shape(1, 4096, 4096);
  EXPECT_EQ(PlanContraction(Gpu(), dense).method, Method::kColumns);
  dense.right_along_k = true;
  EXPECT_EQ(PlanContraction(Gpu(), dense).ToString(), "dot 1x4, subgroups");
  Capabilities capabilities = Gpu();
  capabilities.subgroups = false;
  EXPECT_EQ(PlanContraction(capabilities, dense).ToString(), "dot 1x4");
}

TEST(ContractionTest, TooFewThreadsForColumnsShareThem) {
  const ContractionPlan plan = PlanContraction(Gpu(), Shape(1, 64, 4096));
  EXPECT_EQ(plan.method, Method::kColumns);
  EXPECT_GT(plan.slices, 1u);
}

TEST(ContractionTest, CpusSumInColumns) {
  for (int64_t rows : {1, 16, 256}) {
    EXPECT_EQ(PlanContraction(Cpu(), Shape(rows, 256, 256)).method, Method::kColumns);
  }
}

TEST(ContractionTest, CpusReadPairs) {
  ContractionShape dense = Shape(1, 256, 512);
  dense.right_along_k = dense.right_by_pairs = true;
  EXPECT_EQ(PlanContraction(Cpu(), dense).ToString(), "columns 1x64, pairs");
  EXPECT_FALSE(PlanContraction(Gpu(), dense).pairs);
}

TEST(ContractionTest, LeastDevice) {
  // 128 invocations, 16 KiB: what Vulkan guarantees.
  const ContractionPlan plan = PlanContraction(Capabilities(), Shape(4096, 4096, 4096));
  EXPECT_EQ(plan.ToString(), "tile 32x32x16, unchecked");
}

TEST(ContractionTest, MatrixUnits) {
  ContractionShape shape = Shape(4096, 4096, 4096);
  shape.matrix_units = true;
  Capabilities capabilities = Gpu();
  EXPECT_EQ(PlanContraction(capabilities, shape).method, Method::kTile);
  capabilities.cooperative_matrix = true;
  EXPECT_EQ(PlanContraction(capabilities, shape).ToString(), "matrix units 64x64");
}

TEST(ContractionTest, AllPlansHaveEveryMethod) {
  std::set<std::string> texts;
  for (const ContractionPlan& plan : AllContractionPlans(Gpu(), Shape(70, 70, 200))) {
    texts.insert(plan.ToString());
  }
  for (const char* text :
       {"tile 128x128x16", "tile 128x64x16", "tile 64x64x16", "tile 32x32x16", "columns 4x64",
        "columns 3x32, 4 slices", "dot 1x4", "dot 2x4, subgroups", "tile 32x32x16, 3 parts",
        "dot 1x4, 3 parts", "columns 4x64, 3 parts"}) {
    EXPECT_TRUE(texts.contains(text)) << text;
  }
}

TEST(ContractionTest, ActivationsOfIntegers) {
  Epilogue epilogue;
  epilogue.activation = Epilogue::Activation::kRelu;
  EXPECT_TRUE(CheckEpilogue("matmul", epilogue, DType::kI32).ok());
  epilogue.activation = Epilogue::Activation::kGelu;
  EXPECT_TRUE(CheckEpilogue("matmul", epilogue, DType::kF32).ok());
  EXPECT_EQ(CheckEpilogue("matmul", epilogue, DType::kF64).code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace tandem::vulkan_backend
