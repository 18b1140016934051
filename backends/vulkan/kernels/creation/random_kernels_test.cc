#include "tandem/backends/vulkan/kernels/creation/random_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/creation_kernels.h"
#include "tandem/backends/cpu/random_kernels.h"
#include "tandem/backends/vulkan/elementwise/expression_tester.h"
#include "tandem/backends/vulkan/kernels/creation/creation_kernels.h"
#include "tandem/core/op/op_def.h"

namespace tandem::vulkan_backend {
namespace {

constexpr DType kAll[] = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64, DType::kI8,
                          DType::kU8,  DType::kI16,  DType::kI32, DType::kI64, DType::kBool};

// The same ops on a Vulkan device and on the CPU.
class TwoDevices {
 public:
  explicit TwoDevices(absl::string_view disable = "") : tester_(disable) {
    EXPECT_TRUE(RegisterRandomKernels(&kernels_).ok());
    EXPECT_TRUE(RegisterCreationKernels(&kernels_).ok());
    EXPECT_TRUE(cpu_backend::RegisterRandomKernels(&kernels_).ok());
    EXPECT_TRUE(cpu_backend::RegisterCreationKernels(&kernels_).ok());
    cpu_backend::CpuBackend backend;
    cpu_ = backend.OpenDevice(0).value();
  }
  ExpressionTester& tester() { return tester_; }

  // The kernel's result on Vulkan; nothing, with a failed test, if there is none.
  TestArray OnVulkan(const char* op, const std::vector<AttributeInit>& attrs,
                     const std::vector<TestArray>& inputs) {
    TestArray result;
    Prepare(op, attrs, inputs, tester_.device(),
            [&](const PreparedKernel& kernel, TensorSpec spec) {
              std::vector<TestArray> outputs = tester_.RunKernel(kernel, inputs, {spec});
              if (!outputs.empty()) result = std::move(outputs[0]);
            });
    return result;
  }
  TestArray OnCpu(const char* op, const std::vector<AttributeInit>& attrs,
                  const std::vector<TestArray>& inputs) {
    TestArray result;
    Prepare(op, attrs, inputs, *cpu_, [&](const PreparedKernel& kernel, TensorSpec spec) {
      std::vector<Ref<Buffer>> buffers;
      std::vector<BufferView> views;
      for (const TestArray& input : inputs) {
        buffers.push_back(cpu_->allocator().Allocate(input.bytes.size()).value());
        std::copy(input.bytes.begin(), input.bytes.end(), *buffers.back()->Map());
        views.push_back(BufferView::Of(*buffers.back()));
      }
      const Ref<Buffer> y = cpu_->allocator().Allocate(spec.num_bytes()).value();
      const BufferView view = BufferView::Of(*y);
      const absl::Status status =
          kernel.Record(cpu_->default_stream(), views, {&view, 1}, BufferView());
      EXPECT_TRUE(status.ok()) << status;
      result = {TensorLayout::Contiguous(spec), {*y->Map(), *y->Map() + spec.num_bytes()}};
    });
    return result;
  }
  // The same bits on both devices.
  void ExpectSame(const char* op, const std::vector<AttributeInit>& attrs,
                  const std::vector<TestArray>& inputs) {
    const TestArray got = OnVulkan(op, attrs, inputs), want = OnCpu(op, attrs, inputs);
    EXPECT_EQ(got.bytes, want.bytes) << op << " as " << want.layout.spec.ToString();
  }

 private:
  template <typename Fn>
  void Prepare(const char* name, const std::vector<AttributeInit>& values,
               const std::vector<TestArray>& inputs, Device& device, Fn&& fn) {
    // An op that has only what a kernel looks at: a name and attributes.
    OpDef op;
    op.name = name;
    std::vector<AttributeDef> defs;
    TensorSpec spec;
    bool has_delta = false;
    for (const AttributeInit& init : values) {
      const absl::string_view attr = init.first;
      const AttributeValue& value = init.second;
      defs.push_back(AttributeDef::Optional(std::string(attr), value, ""));
      if (attr == "shape")
        spec.shape = Shape(absl::MakeConstSpan(*value.get<AttributeValue::Ints>()));
      if (attr == "count") spec.shape = Shape{*value.get<int64_t>()};
      if (attr == "dtype") spec.dtype = *value.get<DType>();
      has_delta |= attr == "delta";
    }
    if (!has_delta) defs.push_back(AttributeDef::Optional("delta", 0, ""));
    op.attributes = AttributeSchema(std::move(defs));
    if (op.name == "dropout") spec = inputs[0].layout.spec;
    const auto attrs = AttributeMap::Create(op.attributes, {});
    ASSERT_TRUE(attrs.ok()) << attrs.status();
    std::vector<TensorLayout> layouts;
    for (const TestArray& input : inputs) layouts.push_back(input.layout);
    const TensorLayout output = TensorLayout::Contiguous(spec);
    const KernelRequest request{op, *attrs, layouts, {&output, 1}, device};
    const KernelDef* def = kernels_.Find(request);
    ASSERT_NE(def, nullptr) << name;
    const auto kernel = def->prepare(request);
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    fn(**kernel, output.spec);
  }

  ExpressionTester tester_;
  KernelRegistry kernels_;
  std::unique_ptr<Device> cpu_;
};

TestArray State(int64_t seed, int64_t offset) {
  return TestArray::OfBits(
      DType::kI64, 2, [=](int64_t i) { return static_cast<uint64_t>(i == 0 ? seed : offset); });
}

AttributeValue Shaped(int64_t n) { return AttributeValue(std::vector<int64_t>{n}); }

class RandomKernelsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { devices_ = new TwoDevices(); }
  static void TearDownTestSuite() {
    delete devices_;
    devices_ = nullptr;
  }
  void SetUp() override {
    if (!devices_->tester().available()) {
      GTEST_SKIP() << "no Vulkan device: " << devices_->tester().reason();
    }
  }
  static TwoDevices* devices_;
};
TwoDevices* RandomKernelsTest::devices_ = nullptr;

TEST_F(RandomKernelsTest, UniformHasTheCpusBits) {
  for (DType dtype : {DType::kF16, DType::kBF16, DType::kF32, DType::kF64}) {
    for (int64_t n : {1, 2, 3, 4, 5, 1023}) {
      devices_->ExpectSame(
          "random_uniform",
          {{"shape", Shaped(n)}, {"dtype", dtype}, {"low", -1.5}, {"high", 2.25}, {"delta", 7}},
          {State(0x123456789ABCDEF, 42)});
    }
  }
}

TEST_F(RandomKernelsTest, CountersCarryAcross32Bits) {
  for (int64_t offset : {int64_t{0xFFFFFFF0}, int64_t{0x7FFFFFFFFFFFFFF0}, int64_t{-10}}) {
    devices_->ExpectSame("random_uniform",
                         {{"shape", Shaped(400)}, {"low", 0.0}, {"high", 1.0}, {"delta", 5}},
                         {State(-3, offset)});
    devices_->ExpectSame("random_uniform",
                         {{"shape", Shaped(40)},
                          {"low", 0.0},
                          {"high", 1.0},
                          {"delta", (int64_t{1} << 40) + 0xFFFFFFF0}},
                         {State(-3, offset)});
  }
}

TEST_F(RandomKernelsTest, BernoulliHasTheCpusBits) {
  for (DType dtype : kAll) {
    for (int64_t n : {1, 2, 3, 5, 6, 7, 1000}) {
      devices_->ExpectSame("random_bernoulli", {{"shape", Shaped(n)}, {"p", 0.3}, {"dtype", dtype}},
                           {State(9, 1)});
    }
  }
  for (double p : {0.0, 1.0}) {
    devices_->ExpectSame("random_bernoulli", {{"shape", Shaped(77)}, {"p", p}}, {State(9, 1)});
  }
}

TEST_F(RandomKernelsTest, DropoutHasTheCpusBits) {
  for (DType dtype : {DType::kF16, DType::kBF16, DType::kF32, DType::kF64}) {
    for (int64_t n : {1, 3, 4, 1001}) {
      std::vector<ScalarNumber> values;
      for (int64_t i = 0; i < n; ++i) {
        values.push_back(ScalarNumber::Real(ComputeType(dtype), 0.25 * static_cast<double>(i) - 9));
      }
      devices_->ExpectSame("dropout", {{"rate", 0.4}, {"delta", 3}},
                           {TestArray::Make(dtype, values, {n}), State(4, 5)});
    }
  }
}

void CheckNormal(TwoDevices& devices, DType dtype, bool exact) {
  const int64_t n = 10001;
  const std::vector<AttributeInit> attrs = {
      {"shape", Shaped(n)}, {"dtype", dtype}, {"mean", 0.5}, {"stddev", 2.0}};
  const std::vector<TestArray> inputs = {State(11, 3)};
  const TestArray got = devices.OnVulkan("random_normal", attrs, inputs);
  const TestArray want = devices.OnCpu("random_normal", attrs, inputs);
  if (exact) {
    EXPECT_EQ(got.bytes, want.bytes) << DTypeName(dtype);
    return;
  }
  ASSERT_EQ(got.bytes.size(), want.bytes.size());
  for (int64_t i = 0; i < n; ++i) {
    const double g = got.Get(i).real, w = want.Get(i).real;
    // log, sqrt, sin: 4, 3 and 4 ulp, on both sides, of |z| <= 6, times the standard deviation.
    ASSERT_NEAR(g, w, 2 * 11 * 0x1p-23 * 2 * 6) << i;
  }
}

TEST_F(RandomKernelsTest, NormalHasTheCpusBitsWhereTheDriverIsExact) {
  const bool exact = devices_->tester().device().capabilities().is_cpu;
  for (DType dtype : {DType::kF32, DType::kF64, DType::kF16}) {
    if (exact || dtype != DType::kF16) CheckNormal(*devices_, dtype, exact);
  }
}

TEST_F(RandomKernelsTest, CreationHasTheCpusBits) {
  for (DType dtype : kAll) {
    for (int64_t n : {1, 3, 8, 1001}) {
      for (double value : {0.0, 1.0, -2.7, 300.5, 1e20, double{NAN}}) {
        devices_->ExpectSame("full", {{"shape", Shaped(n)}, {"value", value}, {"dtype", dtype}},
                             {});
      }
      if (dtype == DType::kBool) continue;
      devices_->ExpectSame("arange",
                           {{"count", n}, {"start", -3.3}, {"step", 0.7}, {"dtype", dtype}}, {});
    }
  }
  devices_->ExpectSame("full", {{"shape", Shaped(0)}, {"value", 1.0}}, {});
}

TEST(RandomFeaturesTest, DevicesWithout64Bits) {
  TwoDevices devices("float64,int64,storage8,storage16");
  if (!devices.tester().available()) {
    GTEST_SKIP() << "no Vulkan device: " << devices.tester().reason();
  }
  const std::vector<TestArray> state = {State(0x123456789ABCDEF, 0xFFFFFFF0)};
  devices.ExpectSame("random_uniform", {{"shape", Shaped(999)}, {"low", 0.0}, {"high", 1.0}},
                     state);
  for (DType dtype : kAll) {
    devices.ExpectSame("random_bernoulli", {{"shape", Shaped(35)}, {"p", 0.5}, {"dtype", dtype}},
                       state);
    devices.ExpectSame("full", {{"shape", Shaped(35)}, {"value", 2.5}, {"dtype", dtype}}, {});
    if (dtype == DType::kBool) continue;
    devices.ExpectSame("arange", {{"count", 35}, {"start", 0.1}, {"step", 0.3}, {"dtype", dtype}},
                       {});
  }
  CheckNormal(devices, DType::kF32, /*exact=*/false);
}

}  // namespace
}  // namespace tandem::vulkan_backend
