#include "tandem/backends/vulkan/elementwise/convert.h"

#include <array>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/elementwise/expression_tester.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/device/command.h"

namespace tandem::vulkan_backend {
namespace {

// The program as a kernel of one dispatch.
class ConvertKernel final : public PreparedKernel {
 public:
  ConvertKernel(Ref<const VulkanProgram> program, int64_t count)
      : program_(std::move(program)), count_(count) {}
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    const std::array<BufferView, 2> bindings = {inputs[0], outputs[0]};
    const ConvertConstants constants(count_);
    Dispatch dispatch;
    dispatch.program = program_.get();
    dispatch.bindings = bindings;
    dispatch.reads = 0b01;
    dispatch.writes = 0b10;
    dispatch.constants = BytesOf(constants);
    dispatch.grid = LinearGrid(ConvertGroups(count_));
    return recorder.Record(dispatch);
  }

 private:
  Ref<const VulkanProgram> program_;
  int64_t count_;
};

void CheckConversion(ExpressionTester& tester, DType from, DType to, int64_t count) {
  const auto program = ConvertProgram(tester.device(), from, to);
  ASSERT_TRUE(program.ok()) << program.status();
  const TestArray x = tester.RandomArray(from, {count});
  const std::vector<TestArray> y = tester.RunKernel(*MakeRef<const ConvertKernel>(*program, count),
                                                    {x}, {TensorSpec{to, {count}}});
  ASSERT_EQ(y.size(), 1);
  for (int64_t i = 0; i < count; ++i) {
    const ScalarNumber want = RoundScalar(CastScalar(x.Get(i), ComputeType(to)), to);
    ASSERT_TRUE(SameNumber(y[0].Get(i), want))
        << DTypeName(from) << " to " << DTypeName(to) << ", element " << i << " of " << count
        << ": " << y[0].Get(i).AsDouble() << ", expected " << want.AsDouble();
  }
}

TEST(ConvertTest, WhatKernelsConvert) {
  ExpressionTester tester;
  if (!tester.available()) GTEST_SKIP() << "no Vulkan device: " << tester.reason();
  constexpr std::pair<DType, DType> kPairs[] = {
      {DType::kF16, DType::kF32},  {DType::kF32, DType::kF16}, {DType::kBF16, DType::kF32},
      {DType::kF32, DType::kBF16}, {DType::kU8, DType::kI32},  {DType::kI32, DType::kU8},
      {DType::kI8, DType::kI32},   {DType::kI32, DType::kI16}, {DType::kBool, DType::kI32},
      {DType::kF64, DType::kF32},  {DType::kI64, DType::kF32}, {DType::kI32, DType::kBool}};
  for (const auto& [from, to] : kPairs) {
    for (int64_t count : {1, 2, 3, 4, 7, 3001}) {
      CheckConversion(tester, from, to, count);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ConvertTest, TypesThatADeviceLacks) {
  ExpressionTester tester("float64");
  if (!tester.available()) GTEST_SKIP() << "no Vulkan device: " << tester.reason();
  EXPECT_EQ(ConvertProgram(tester.device(), DType::kF64, DType::kF32).status().code(),
            absl::StatusCode::kUnimplemented);
  CheckConversion(tester, DType::kF16, DType::kF32, 9);
}

TEST(ConvertTest, Groups) {
  EXPECT_EQ(ConvertGroups(0), 0);
  EXPECT_EQ(ConvertGroups(1), 1);
  EXPECT_EQ(ConvertGroups(512), 1);
  EXPECT_EQ(ConvertGroups(513), 2);
}

}  // namespace
}  // namespace tandem::vulkan_backend
