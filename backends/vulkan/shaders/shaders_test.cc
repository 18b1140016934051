// What the rule `shaders` makes of a source.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/shaders/shader.h"
#include "tandem/backends/vulkan/shaders/test_move_shaders.h"
#include "tandem/backends/vulkan/shaders/test_scale_shaders.h"

namespace tandem::vulkan_backend {
namespace {

constexpr uint32_t kSpirvMagic = 0x07230203;

TEST(Shaders, OneForEachDType) {
  for (DType dtype : {DType::kF32, DType::kF64, DType::kI32, DType::kI64}) {
    const Shader* shader = TestScaleShader(dtype);
    ASSERT_NE(shader, nullptr);
    EXPECT_EQ(shader->name, std::string("test_scale_") + std::string(DTypeName(dtype)));
    ASSERT_GT(shader->spirv.size(), 5u);
    EXPECT_EQ(shader->spirv[0], kSpirvMagic);
    EXPECT_EQ(shader->num_bindings, 2);
    EXPECT_EQ(shader->constants_bytes, 8u);
    EXPECT_EQ(shader, TestScaleShader(dtype));
  }
  EXPECT_NE(TestScaleShader(DType::kF32)->spirv, TestScaleShader(DType::kF64)->spirv);
  EXPECT_EQ(TestScaleShader(DType::kF16), nullptr);
}

TEST(Shaders, OneForEachSize) {
  for (int bytes : {1, 2, 4, 8}) {
    ASSERT_NE(TestMoveShader(bytes), nullptr) << bytes;
    EXPECT_EQ(TestMoveShader(bytes)->spirv[0], kSpirvMagic);
    EXPECT_EQ(TestMoveShader(bytes)->constants_bytes, 0u);
  }
  EXPECT_EQ(TestMoveShader(3), nullptr);
}

}  // namespace
}  // namespace tandem::vulkan_backend
