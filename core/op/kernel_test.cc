#include "tandem/core/op/kernel.h"

#include <string>

#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"

namespace tandem {
namespace {

KernelDef Kernel(std::string name, std::string op, int priority, std::vector<DType> dtypes = {}) {
  KernelDef def;
  def.name = std::move(name);
  def.op = std::move(op);
  def.device = DeviceType::Intern("test");
  def.priority = priority;
  def.dtypes = std::move(dtypes);
  def.prepare = [](const KernelRequest&) -> absl::StatusOr<Ref<const PreparedKernel>> {
    return absl::UnimplementedError("not run here");
  };
  return def;
}

class KernelRegistryTest : public testing::Test {
 protected:
  KernelRegistryTest() { op_.name = "relu"; }

  std::string Find(DType dtype) {
    const TensorLayout layout = TensorLayout::Contiguous({dtype, {4}});
    const KernelDef* kernel =
        registry_.Find({op_, attrs_, {&layout, 1}, {&layout, 1}, device_});
    return kernel == nullptr ? "none" : kernel->name;
  }

  KernelRegistry registry_;
  TestDevice device_;
  OpDef op_;
  AttributeMap attrs_;
};

TEST_F(KernelRegistryTest, TheHighestPriorityThatFitsWins) {
  EXPECT_EQ(Find(DType::kF32), "none");
  ASSERT_TRUE(registry_.Register(Kernel("plain", "relu", 0)).ok());
  ASSERT_TRUE(registry_.Register(Kernel("fast_f32", "relu", 10, {DType::kF32})).ok());
  EXPECT_EQ(Find(DType::kF32), "fast_f32");
  EXPECT_EQ(Find(DType::kI32), "plain");
  KernelDef never = Kernel("never", "relu", 100);
  never.supports = [](const KernelRequest&) { return false; };
  ASSERT_TRUE(registry_.Register(std::move(never)).ok());
  EXPECT_EQ(Find(DType::kF32), "fast_f32");
  EXPECT_EQ(registry_.KernelsOf("relu", DeviceType::Intern("test")).size(), 3);
}

TEST_F(KernelRegistryTest, AnotherDeviceTypeHasItsOwn) {
  KernelDef other = Kernel("elsewhere", "relu", 0);
  other.device = DeviceType::Intern("elsewhere");
  ASSERT_TRUE(registry_.Register(std::move(other)).ok());
  EXPECT_EQ(Find(DType::kF32), "none");
}

TEST_F(KernelRegistryTest, ANameTwiceIsAnError) {
  ASSERT_TRUE(registry_.Register(Kernel("plain", "relu", 0)).ok());
  EXPECT_EQ(registry_.Register(Kernel("plain", "relu", 5)).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(KernelRegistryTest, AKernelOfAnyOpComesAfterTheOpsOwn) {
  KernelDef any = Kernel("any", "*", 1000);
  any.supports = [](const KernelRequest& request) { return request.op.name == "relu"; };
  ASSERT_TRUE(registry_.Register(std::move(any)).ok());
  EXPECT_EQ(Find(DType::kI32), "any");
  ASSERT_TRUE(registry_.Register(Kernel("own_f32", "relu", 0, {DType::kF32})).ok());
  EXPECT_EQ(Find(DType::kF32), "own_f32");
  EXPECT_EQ(Find(DType::kI32), "any");
  op_.name = "other";
  EXPECT_EQ(Find(DType::kI32), "none");
  const auto kernels = registry_.KernelsOf("relu", DeviceType::Intern("test"));
  ASSERT_EQ(kernels.size(), 2);
  EXPECT_EQ(kernels[0]->name, "own_f32");
  EXPECT_EQ(kernels[1]->name, "any");
  EXPECT_EQ(registry_.KernelsOf("*", DeviceType::Intern("test")).size(), 1);
}

}  // namespace
}  // namespace tandem
