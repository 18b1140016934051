#include "tandem/core/op/kernel.h"

#include <string>

#include "gtest/gtest.h"
#include "tandem/core/device/test_device.h"
#include "tandem/core/op/op_body.h"

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

// Two ops, one kernel for each and one for both: a fusion needs a kernel that says it stands for the
// others.
TEST(FusesExactly, OnlyWhatStandsForTheKernelsOfTheSteps) {
  const auto unary = [](const char* name) {
    OpDef op;
    op.name = name;
    op.inputs = {{"x", ""}};
    op.infer = [](const InferContext& c) -> absl::StatusOr<SpecList> {
      return SpecList{c.input(0)};
    };
    return op;
  };
  const OpDef relu = unary("relu"), exp = unary("exp");
  OpDef fused = unary("fused");
  fused.runs_body = true;
  fused.attributes = {AttributeDef::Required("body", AttributeType::kBody, "")};
  OpBody::Builder builder({{DType::kF32, {4}}});
  ASSERT_TRUE(builder.Add(relu, {}, {0}).ok());
  ASSERT_TRUE(builder.Add(exp, {}, {1}).ok());
  const Ref<const OpBody> body = *builder.Finish({2});

  TestDevice device;
  KernelRegistry registry;
  const auto fuses = [&] { return FusesExactly(registry, fused, *body, device); };
  ASSERT_TRUE(registry.Register(Kernel("any", "*", 0)).ok());
  EXPECT_TRUE(fuses());  // one kernel serves them all
  ASSERT_TRUE(registry.Register(Kernel("mine", "exp", 0)).ok());
  EXPECT_FALSE(fuses());
  KernelDef whole = Kernel("pair", "fused", 0);
  whole.stands_for = {"exp:mine", "relu:any"};
  ASSERT_TRUE(registry.Register(std::move(whole)).ok());
  EXPECT_FALSE(fuses());  // relu runs by "*:any"
  KernelDef better = Kernel("better", "fused", 1);
  better.stands_for = {"exp:mine", "*:any"};
  better.supports = [](const KernelRequest& request) {
    return BodyOf(request.op, request.attrs)->steps().size() == 2 && request.inputs.size() == 1 &&
           request.outputs[0].spec.shape == Shape{4};
  };
  ASSERT_TRUE(registry.Register(std::move(better)).ok());
  EXPECT_TRUE(fuses());
  // A plugin computes relu its own way.
  ASSERT_TRUE(registry.Register(Kernel("plugin", "relu", 0)).ok());
  EXPECT_FALSE(fuses());
  EXPECT_FALSE(FusesExactly(KernelRegistry(), fused, *body, device));
}

}  // namespace
}  // namespace tandem
