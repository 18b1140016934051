// Uses core/tensor alone, as a project of its own would.

#include "tandem/core/tensor/tensor.h"

#include "gtest/gtest.h"

namespace {

TEST(TensorTest, SpecsAndLayoutsNeedNoBackend) {
  tandem::TensorSpec spec{tandem::DType::kF32, tandem::Shape{2, 3}};
  EXPECT_EQ(spec.ToString(), "f32[2,3]");
  EXPECT_EQ(spec.num_bytes(), 24);
  EXPECT_TRUE(tandem::TensorLayout::Contiguous(spec).is_contiguous());
}

TEST(TensorTest, StartsUndefined) { EXPECT_FALSE(tandem::Tensor().defined()); }

}  // namespace
