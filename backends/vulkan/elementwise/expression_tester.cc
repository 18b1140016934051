#include "tandem/backends/vulkan/elementwise/expression_tester.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/elementwise.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/elementwise/elementwise.h"
#include "tandem/backends/vulkan/guarded_buffer.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

absl::StatusOr<std::vector<TestArray>> RunOnDevice(VulkanDevice& device,
                                                   const PreparedKernel& kernel,
                                                   const std::vector<TestArray>& inputs,
                                                   const std::vector<TensorSpec>& outputs) {
  std::vector<GuardedBuffer> all;
  std::vector<BufferView> in_views, out_views;
  for (const TestArray& input : inputs) {
    TANDEM_ASSIGN_OR_RETURN(GuardedBuffer buffer, GuardedBuffer::Upload(device, input.bytes));
    in_views.push_back(all.emplace_back(std::move(buffer)).view());
  }
  for (const TensorSpec& spec : outputs) {
    TANDEM_ASSIGN_OR_RETURN(GuardedBuffer buffer,
                            GuardedBuffer::Poisoned(device, spec.num_bytes()));
    out_views.push_back(all.emplace_back(std::move(buffer)).view());
  }
  BufferView workspace;
  if (kernel.workspace_bytes() > 0) {
    TANDEM_ASSIGN_OR_RETURN(GuardedBuffer buffer,
                            GuardedBuffer::Poisoned(device, kernel.workspace_bytes()));
    workspace = all.emplace_back(std::move(buffer)).view();
  }
  TANDEM_RETURN_IF_ERROR(kernel.Record(device.default_stream(), in_views, out_views, workspace));
  std::vector<TestArray> results;
  for (size_t o = 0; o < outputs.size(); ++o) {
    TANDEM_ASSIGN_OR_RETURN(std::vector<std::byte> data,
                            all[inputs.size() + o].Download(device, absl::StrCat("output ", o)));
    results.push_back({TensorLayout::Contiguous(outputs[o]), std::move(data)});
  }
  return results;
}

std::vector<TensorLayout> LayoutsOf(const std::vector<TestArray>& arrays) {
  std::vector<TensorLayout> layouts;
  for (const TestArray& array : arrays) layouts.push_back(array.layout);
  return layouts;
}

std::vector<TensorLayout> OutputLayouts(const ScalarExpr& expr, const Shape& shape) {
  std::vector<TensorLayout> layouts;
  for (const ScalarExpr::Output& output : expr.outputs) {
    layouts.push_back(TensorLayout::Contiguous({output.dtype, shape}));
  }
  return layouts;
}

}  // namespace

TestArray TestArray::Make(DType dtype, const std::vector<ScalarNumber>& values, Shape shape) {
  TestArray a;
  a.layout = TensorLayout::Contiguous({dtype, shape});
  a.bytes.resize(values.size() * DTypeSize(dtype));
  for (size_t i = 0; i < values.size(); ++i) a.Set(i, values[i]);
  return a;
}

TestArray TestArray::OfBits(DType dtype, int64_t count,
                            const std::function<uint64_t(int64_t)>& bits) {
  TestArray a;
  a.layout = TensorLayout::Contiguous({dtype, {count}});
  const int64_t size = DTypeSize(dtype);
  a.bytes.resize(count * size);
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t word = bits(i);
    std::memcpy(a.bytes.data() + i * size, &word, size);
  }
  return a;
}

void TestArray::Set(int64_t element, const ScalarNumber& value) {
  DispatchDType(dtype(), [&](auto zero) {
    using T = decltype(zero);
    T stored;
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      stored = T(static_cast<float>(value.real));
    } else if constexpr (std::is_floating_point_v<T>) {
      stored = static_cast<T>(value.real);
    } else {
      stored = static_cast<T>(value.integer);
    }
    std::memcpy(bytes.data() + element * sizeof(T), &stored, sizeof(T));
  });
}

ScalarNumber TestArray::Get(int64_t element) const {
  const ScalarType type = ComputeType(dtype());
  return DispatchDType(dtype(), [&](auto zero) {
    using T = decltype(zero);
    T stored;
    std::memcpy(&stored, bytes.data() + element * sizeof(T), sizeof(T));
    if constexpr (std::is_integral_v<T>) {
      return ScalarNumber::Integer(type, static_cast<int64_t>(stored));
    } else {
      return ScalarNumber::Real(type, static_cast<double>(stored));
    }
  });
}

ScalarNumber TestArray::At(const Shape& shape, int64_t i) const {
  int64_t element = layout.offset;
  const Shape& own = layout.spec.shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    const int64_t index = i % shape[d];
    i /= shape[d];
    const int k = d - (shape.rank() - own.rank());
    if (k >= 0 && own[k] != 1) element += index * layout.strides[k];
  }
  return Get(element);
}

bool SameNumber(const ScalarNumber& a, const ScalarNumber& b) {
  if (!IsFloating(a.type)) return a.integer == b.integer;
  if (std::isnan(a.real) || std::isnan(b.real)) return std::isnan(a.real) && std::isnan(b.real);
  return std::bit_cast<uint64_t>(a.real) == std::bit_cast<uint64_t>(b.real);
}

double UlpsBetween(const ScalarNumber& got, const ScalarNumber& want) {
  if (SameNumber(got, want)) return 0;
  if (!std::isfinite(got.real) || !std::isfinite(want.real)) {
    return std::numeric_limits<double>::infinity();
  }
  const bool narrow = got.type == ScalarType::kF32;
  const int exponent =
      std::max(want.real == 0 ? -2000 : std::ilogb(want.real), narrow ? -126 : -1022);
  return std::abs(got.real - want.real) / std::ldexp(1.0, exponent - (narrow ? 23 : 52));
}

ExpressionTester::ExpressionTester(absl::string_view disable) {
  cpu_backend::CpuBackend cpu;
  cpu_ = cpu.OpenDevice(0).value();
  // The layer may be missing; the device then runs without it, and the test says so.
  for (const char* validation : {"sync", "off"}) {
    VulkanBackend backend;
    EXPECT_TRUE(backend.SetOption("validation", validation).ok());
    EXPECT_TRUE(backend.SetOption("poison", "1").ok());
    if (!disable.empty()) {
      EXPECT_TRUE(backend.SetOption("disable", disable).ok());
    }
    absl::StatusOr<std::unique_ptr<Device>> device = backend.OpenDevice(0);
    if (device.ok()) {
      owned_ = *std::move(device);
      device_ = static_cast<VulkanDevice*>(owned_.get());
      testing::Test::RecordProperty("validation", validation);
      return;
    }
    reason_ = std::string(device.status().message());
  }
}

ExpressionTester::~ExpressionTester() {
  owned_.reset();
  EXPECT_THAT(ValidationLog::Global().Take(), testing::IsEmpty());
}

std::vector<TestArray> ExpressionTester::RunKernel(const PreparedKernel& kernel,
                                                   const std::vector<TestArray>& inputs,
                                                   const std::vector<TensorSpec>& outputs) {
  absl::StatusOr<std::vector<TestArray>> results = RunOnDevice(*device_, kernel, inputs, outputs);
  EXPECT_TRUE(results.ok()) << results.status();
  return results.ok() ? *std::move(results) : std::vector<TestArray>();
}

std::vector<TestArray> ExpressionTester::Run(const ScalarExpr& expr,
                                             const std::vector<TestArray>& inputs,
                                             const Shape& shape, int width) {
  const auto kernel =
      PrepareExpression(expr, LayoutsOf(inputs), OutputLayouts(expr, shape), *device_, width);
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  if (!kernel.ok()) return {};
  std::vector<TensorSpec> specs;
  for (const ScalarExpr::Output& output : expr.outputs) specs.push_back({output.dtype, shape});
  return RunKernel(**kernel, inputs, specs);
}

std::vector<TestArray> ExpressionTester::RunOnCpu(const ScalarExpr& expr,
                                                  const std::vector<TestArray>& inputs,
                                                  const Shape& shape) {
  const std::vector<TensorLayout> layouts = OutputLayouts(expr, shape);
  std::vector<Ref<Buffer>> buffers;
  std::vector<BufferView> in_views, out_views;
  for (const TestArray& input : inputs) {
    buffers.push_back(cpu_->allocator().Allocate(input.bytes.size()).value());
    std::memcpy(*buffers.back()->Map(), input.bytes.data(), input.bytes.size());
    in_views.push_back(BufferView::Of(*buffers.back()));
  }
  for (const TensorLayout& layout : layouts) {
    buffers.push_back(cpu_->allocator().Allocate(layout.spec.num_bytes()).value());
    out_views.push_back(BufferView::Of(*buffers.back()));
  }
  const auto kernel =
      cpu_backend::PrepareExpression(expr, LayoutsOf(inputs), layouts, cpu_backend::IsaOf(*cpu_));
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  if (!kernel.ok()) return {};
  const absl::Status status =
      (*kernel)->Record(cpu_->default_stream(), in_views, out_views, BufferView());
  EXPECT_TRUE(status.ok()) << status;
  std::vector<TestArray> results;
  for (size_t o = 0; o < layouts.size(); ++o) {
    const std::byte* data = *out_views[o].buffer->Map();
    results.push_back({layouts[o], {data, data + layouts[o].spec.num_bytes()}});
  }
  return results;
}

void ExpressionTester::Check(const ScalarExpr& expr, const std::vector<TestArray>& inputs,
                             const Shape& shape, double ulps, int width) {
  const std::vector<TestArray> outputs = Run(expr, inputs, shape, width);
  ASSERT_EQ(outputs.size(), expr.outputs.size());
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    std::vector<ScalarNumber> arguments;
    for (const TestArray& input : inputs) arguments.push_back(input.At(shape, i));
    const auto expected = EvaluateScalarExpr(expr, arguments);
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (size_t o = 0; o < outputs.size(); ++o) {
      const ScalarNumber got = outputs[o].Get(i), want = (*expected)[o];
      if (SameNumber(got, want)) continue;
      ASSERT_TRUE(IsFloating(got.type) && UlpsBetween(got, want) <= ulps)
          << "element " << i << " of " << shape.ToString() << ", output " << o << " (%"
          << expr.outputs[o].value << "): " << got.AsDouble() << ", expected " << want.AsDouble()
          << " of " << (arguments.empty() ? 0.0 : arguments[0].AsDouble()) << " and "
          << (arguments.size() < 2 ? 0.0 : arguments[1].AsDouble()) << "\n"
          << expr.ToString();
    }
  }
}

std::vector<ScalarNumber> ExpressionTester::Values(DType dtype, int64_t n) {
  std::vector<ScalarNumber> values;
  const ScalarType type = ComputeType(dtype);
  constexpr double kReals[] = {0.0,     -0.0,  1.0,   -1.0,  0.5,      -2.5,      1.5,    2.5,
                               1e30,    -1e30, 1e-30, 1e-41, HUGE_VAL, -HUGE_VAL, NAN,    65504.0,
                               65520.0, 6e-8,  3e9,   -3e9,  1e-40,    1e300,     1e-310, 3e38};
  constexpr int64_t kIntegers[] = {0,      1,         -1,        2,         -2,       3,
                                   7,      -7,        127,       -128,      255,      32767,
                                   -32768, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  std::uniform_real_distribution<double> real(-4, 4);
  for (int64_t i = 0; i < n; ++i) {
    ScalarNumber value;
    if (IsFloating(type)) {
      value = ScalarNumber::Real(
          type, random_() % 2 == 0 ? kReals[random_() % std::size(kReals)] : real(random_));
    } else {
      value = ScalarNumber::Integer(type, random_() % 2 == 0
                                              ? kIntegers[random_() % std::size(kIntegers)]
                                              : static_cast<int64_t>(random_() % 200) - 100);
    }
    values.push_back(RoundScalar(value, dtype));
  }
  return values;
}

TestArray ExpressionTester::RandomArray(DType dtype, Shape shape) {
  return TestArray::Make(dtype, Values(dtype, shape.num_elements()), shape);
}

}  // namespace tandem::vulkan_backend
