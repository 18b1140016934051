#include "tandem/backends/vulkan/vulkan_kernel.h"

#include <cstring>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/device_testing.h"
#include "tandem/core/op/op_def.h"

namespace tandem::vulkan_backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LinearGrid, CoversAndStaysWithinTheLimit) {
  for (int64_t groups : {int64_t{1}, int64_t{7}, int64_t{65535}, int64_t{65536}, int64_t{65537},
                         int64_t{1000003}, (int64_t{1} << 31) - 1}) {
    const std::array<uint32_t, 3> grid = LinearGrid(groups);
    EXPECT_LE(grid[0], 65535u) << groups;
    EXPECT_LE(grid[1], 65535u) << groups;
    EXPECT_EQ(grid[2], 1u);
    const int64_t product = int64_t{grid[0]} * grid[1];
    EXPECT_GE(product, groups);
    EXPECT_LT(product - groups, int64_t{grid[1]}) << groups;  // few groups do nothing
  }
  EXPECT_THAT(LinearGrid(0), ElementsAre(0, 0, 0));
  EXPECT_THAT(GroupsFor(0, 64), ElementsAre(0, 0, 0));
  EXPECT_THAT(GroupsFor(65, 64), ElementsAre(2, 1, 1));
}

class VulkanKernelTest : public DeviceTest {
 protected:
  // A request of one input and one output, both of `elements` of these dtypes.
  KernelRequest Request(DType in, DType out, int64_t elements, int64_t offset = 0) {
    inputs_ = {TensorLayout::Contiguous({in, {elements}})};
    inputs_[0].offset = offset;
    outputs_ = {TensorLayout::Contiguous({out, {elements}})};
    return {op_, attrs_, inputs_, outputs_, device()};
  }
  absl::Status Run(const PreparedKernel& kernel, const Ref<Buffer>& x, const Ref<Buffer>& y) {
    Ref<Buffer> workspace;
    BufferView view;
    if (kernel.workspace_bytes() > 0) {
      workspace = Allocate(kernel.workspace_bytes());
      view = BufferView::Of(*workspace);
    }
    return kernel.Record(stream(), {BufferView::Of(*x)}, {BufferView::Of(*y)}, view);
  }
  // y = 2 * x + 1, computed as i32 whatever x and y are.
  absl::StatusOr<Ref<const PreparedKernel>> PrepareDouble(const KernelRequest& request) {
    KernelBuilder b(request, "double");
    const uint32_t n = request.inputs[0].spec.shape.num_elements();
    const Operand x = b.InputAs(0, DType::kI32);
    const Operand y = b.OutputAs(0, DType::kI32);
    b.Dispatch(TestScaleShader(DType::kI32), {kGroup, 1},
               {tandem::vulkan_backend::Read(x), Write(y)}, ScaleConstants{n, 2},
               GroupsFor(n, kGroup));
    return b.Finish();
  }

  OpDef op_;
  AttributeMap attrs_;
  std::vector<TensorLayout> inputs_, outputs_;
};
INSTANTIATE_TEST_SUITE_P(All, VulkanKernelTest, testing::ValuesIn(kDescriptorVariants),
                         DisableName);

TEST_P(VulkanKernelTest, OneStep) {
  Ref<Buffer> x = Make(Iota(100)), y = Make(Iota(100));
  auto kernel = PrepareDouble(Request(DType::kI32, DType::kI32, 100));
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  EXPECT_EQ((*kernel)->workspace_bytes(), 0);
  EXPECT_EQ((*kernel)->description(), "double");
  ASSERT_TRUE(Run(**kernel, x, y).ok());
  EXPECT_EQ(Read(*y)[99], 199);
}

TEST_P(VulkanKernelTest, ConvertsWhatIsStoredOtherwise) {
  // i8 in, i16 out; five elements, so that neither ends with a word.
  Ref<Buffer> x = Allocate(5), y = Allocate(10);
  const int8_t values[] = {-3, 0, 7, 100, -128};
  std::memcpy(*x->Map(), values, 5);
  ASSERT_TRUE(x->Unmap().ok());
  auto kernel = PrepareDouble(Request(DType::kI8, DType::kI16, 5));
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  EXPECT_GT((*kernel)->workspace_bytes(), 0);
  ASSERT_TRUE(Run(**kernel, x, y).ok());
  ASSERT_TRUE(stream().Synchronize(stream().Now()).ok());
  std::vector<int16_t> result(5);
  std::memcpy(result.data(), *y->Map(), 10);
  EXPECT_THAT(result, ElementsAre(-5, 1, 15, 201, -255));
}

TEST_P(VulkanKernelTest, InputsThatStartWithinABuffer) {
  Ref<Buffer> x = Make(Iota(1000)), y = Make(Iota(10));
  for (int64_t offset : {int64_t{3}, device().info().alignment}) {
    auto kernel = PrepareDouble(Request(DType::kI32, DType::kI32, 10, offset));
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    ASSERT_TRUE(Run(**kernel, x, y).ok());
    EXPECT_EQ(Read(*y)[9], 2 * (offset + 9) + 1);
  }
}

TEST_P(VulkanKernelTest, FillAndWorkspace) {
  Ref<Buffer> x = Make(Iota(64)), y = Make(Iota(64));
  const KernelRequest request = Request(DType::kI32, DType::kI32, 64);
  KernelBuilder b(request, "ignored");
  const Operand small = b.Workspace(1);
  const Operand ws = b.Workspace(256);
  EXPECT_GE(ws.offset, device().info().alignment);
  EXPECT_EQ(small.offset, 0);
  b.Describe("fill and scale");
  b.Fill(ws, 21);
  b.Dispatch(TestScaleShader(DType::kI32), {kGroup, 0},
             {tandem::vulkan_backend::Read(ws), Write(b.Output(0))}, ScaleConstants{64, 2},
             {1, 1, 1});
  auto kernel = b.Finish();
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  EXPECT_EQ((*kernel)->description(), "fill and scale");
  ASSERT_TRUE(Run(**kernel, x, y).ok());
  EXPECT_THAT(Read(*y), testing::Each(42));
}

TEST_P(VulkanKernelTest, MistakesAreStatuses) {
  const KernelRequest request = Request(DType::kI32, DType::kI32, 64);
  const auto error = [&](auto build) {
    KernelBuilder b(request, "wrong");
    build(b);
    return std::string(b.Finish().status().message());
  };
  const ScaleConstants constants{64, 1};
  const std::array<uint32_t, 3> grid = {1, 1, 1};
  const Shader* shader = TestScaleShader(DType::kI32);
  EXPECT_THAT(error([&](KernelBuilder& b) {
                b.Dispatch(TestScaleShader(DType::kF16), {}, {}, constants, grid);
              }),
              HasSubstr("no shader for this type"));
  EXPECT_THAT(error([&](KernelBuilder& b) {
                b.Dispatch(shader, {64, 0}, {Write(b.Output(0))}, constants, grid);
              }),
              HasSubstr("vulkan kernel wrong: shader test_scale_i32 has 2 buffers and 8 bytes"));
  EXPECT_THAT(error([&](KernelBuilder& b) { b.Workspace(-1); }), HasSubstr("-1 bytes"));
  EXPECT_THAT(error([&](KernelBuilder& b) {
                b.Workspace(INT64_MAX);
                b.Workspace(INT64_MAX);
              }),
              HasSubstr("overflow"));
  EXPECT_THAT(error([&](KernelBuilder& b) {
                b.Convert(b.Input(0), DType::kI32, b.Output(0), DType::kF32, int64_t{1} << 31);
              }),
              HasSubstr("below 2^31"));
  EXPECT_THAT(error([&](KernelBuilder& b) { b.InputAs(3, DType::kI32); }), HasSubstr("input 3"));
}

TEST_P(VulkanKernelTest, NotOfferedForDTypesTheDeviceLacks) {
  const KernelDef def = VulkanKernelDef(
      "op", "name", {DType::kF32, DType::kF64},
      +[](const KernelRequest&) -> absl::StatusOr<Ref<const PreparedKernel>> {
        return absl::InternalError("");
      });
  EXPECT_EQ(def.device.name(), "vulkan");
  EXPECT_TRUE(def.supports(Request(DType::kF32, DType::kF16, 4)));
  EXPECT_EQ(def.supports(Request(DType::kF32, DType::kF64, 4)), device().capabilities().float64);
  EXPECT_EQ(def.supports(Request(DType::kI64, DType::kF32, 4)), device().capabilities().int64);
}

class WithoutWideTypesTest : public VulkanKernelTest {};
INSTANTIATE_TEST_SUITE_P(All, WithoutWideTypesTest, testing::Values("float64,int64"),
                         [](const auto&) { return std::string("Disabled"); });

TEST_P(WithoutWideTypesTest, AreNotOffered) {
  const KernelDef def = VulkanKernelDef(
      "op", "name", {}, +[](const KernelRequest&) -> absl::StatusOr<Ref<const PreparedKernel>> {
        return absl::InternalError("");
      });
  EXPECT_FALSE(def.supports(Request(DType::kF32, DType::kF64, 4)));
  EXPECT_FALSE(def.supports(Request(DType::kI64, DType::kF32, 4)));
  EXPECT_TRUE(def.supports(Request(DType::kI32, DType::kBF16, 4)));
}

}  // namespace
}  // namespace tandem::vulkan_backend
