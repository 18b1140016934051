#include "tandem/backends/cpu/random_kernels.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/creation_kernels.h"
#include "tandem/backends/cpu/philox.h"

namespace tandem::cpu_backend {
namespace {

using testing::ElementsAre;

using PhiloxFn = void (*)(uint64_t, uint64_t, uint64_t, int64_t, uint32_t*);

std::vector<PhiloxFn> PhiloxLevels() {
  std::vector<PhiloxFn> levels = {isa_baseline::Philox};
  if (DetectIsa() >= Isa::kAvx2) levels.push_back(isa_avx2::Philox);
  if (DetectIsa() >= Isa::kAvx512) levels.push_back(isa_avx512::Philox);
  return levels;
}

// The known answers that come with the paper's reference implementation, Random123.
TEST(PhiloxTest, KnownAnswers) {
  for (PhiloxFn philox : PhiloxLevels()) {
    uint32_t words[4];
    philox(0, 0, 0, 1, words);
    EXPECT_THAT(words, ElementsAre(0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8));
    philox(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, 1, words);
    EXPECT_THAT(words, ElementsAre(0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD));
    // Digits of pi.
    philox(0x299F31D0A4093822, 0x85A308D3243F6A88, 0x0370734413198A2E, 1, words);
    EXPECT_THAT(words, ElementsAre(0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1));
  }
}

TEST(PhiloxTest, BlocksFollowTheCounterAcross32Bits) {
  for (PhiloxFn philox : PhiloxLevels()) {
    const uint64_t first = 0xFFFFFFF8;
    uint32_t all[4 * 40];
    philox(7, first, 0, 40, all);
    for (int i = 0; i < 40; ++i) {
      uint32_t one[4];
      isa_baseline::Philox(7, first + i, 0, 1, one);
      EXPECT_EQ(std::memcmp(one, all + 4 * i, sizeof(one)), 0) << i;
    }
  }
}

class RandomKernelsTest : public testing::Test {
 protected:
  RandomKernelsTest() : device_(backend_.OpenDevice(0).value()) {
    EXPECT_TRUE(backend_.SetOption("poison", "1").ok());
    EXPECT_TRUE(RegisterRandomKernels(&kernels_).ok());
    EXPECT_TRUE(RegisterCreationKernels(&kernels_).ok());
  }

  // Runs the kernel of `op`, whose output is `spec`, on raw inputs.
  std::vector<std::byte> Run(const std::string& op, std::vector<AttributeDef> attributes,
                             const TensorSpec& spec, const std::vector<TensorSpec>& input_specs,
                             const std::vector<std::vector<std::byte>>& inputs) {
    OpDef def;
    def.name = op;
    def.attributes = AttributeSchema(std::move(attributes));
    const AttributeMap attrs = AttributeMap::Create(def.attributes, {}).value();
    std::vector<TensorLayout> layouts;
    std::vector<Ref<Buffer>> buffers;
    std::vector<BufferView> views;
    for (size_t i = 0; i < inputs.size(); ++i) {
      layouts.push_back(TensorLayout::Contiguous(input_specs[i]));
      buffers.push_back(*device_->allocator().Allocate(inputs[i].size()));
      std::memcpy(*buffers.back()->Map(), inputs[i].data(), inputs[i].size());
      views.push_back(BufferView::Of(*buffers.back()));
    }
    const TensorLayout out = TensorLayout::Contiguous(spec);
    const Ref<Buffer> y = *device_->allocator().Allocate(spec.num_bytes());
    const KernelRequest request{def, attrs, layouts, {&out, 1}, *device_};
    const KernelDef* kernel = kernels_.Find(request);
    EXPECT_NE(kernel, nullptr);
    if (kernel == nullptr) return {};
    const auto prepared = kernel->prepare(request);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    const BufferView to = BufferView::Of(*y);
    const absl::Status status =
        (*prepared)->Record(device_->default_stream(), views, {&to, 1}, BufferView());
    EXPECT_TRUE(status.ok()) << status;
    const std::byte* data = *y->Map();
    return {data, data + spec.num_bytes()};
  }
  template <typename T>
  static std::vector<T> As(const std::vector<std::byte>& bytes) {
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(static_cast<void*>(values.data()), bytes.data(), bytes.size());
    return values;
  }
  static std::vector<std::byte> State(int64_t seed, int64_t offset) {
    const int64_t state[2] = {seed, offset};
    std::vector<std::byte> bytes(16);
    std::memcpy(bytes.data(), state, 16);
    return bytes;
  }
  std::vector<std::byte> Draw(const std::string& op, DType dtype, int64_t n, double a, double b,
                              int64_t seed = 42, int64_t offset = 5, int64_t delta = 0) {
    const bool uniform = op == "random_uniform";
    return Run(op,
               {AttributeDef::Optional(uniform                 ? "low"
                                       : op == "random_normal" ? "mean"
                                                               : "p",
                                       a, ""),
                AttributeDef::Optional(uniform ? "high" : "stddev", b, ""),
                AttributeDef::Optional("delta", delta, "")},
               {dtype, {n}}, {{DType::kI64, {2}}}, {State(seed, offset)});
  }

  CpuBackend backend_;
  std::unique_ptr<Device> device_;
  KernelRegistry kernels_;
};

// R20
TEST_F(RandomKernelsTest, UniformIsWhatThePlanSays) {
  const auto y = As<float>(Draw("random_uniform", DType::kF32, 1001, -1, 3, 42, 5, 7));
  for (int i = 0; i < 1001; ++i) {
    uint32_t words[4];
    isa_baseline::Philox(42, 12 + i / 4, 0, 1, words);
    const float u = static_cast<float>(words[i % 4] >> 8) * 0x1p-24f;
    ASSERT_EQ(y[i], -1 + u * 4.0f) << i;
  }
}

TEST_F(RandomKernelsTest, NormalIsBoxAndMuller) {
  for (int64_t n : {1, 2, 3, 5, 1023}) {
    const auto y = As<double>(Draw("random_normal", DType::kF64, n, 1, 2));
    for (int64_t i = 0; i < n; ++i) {
      uint32_t words[4];
      isa_baseline::Philox(42, 5 + i / 4, 0, 1, words);
      const uint32_t* pair = words + (i % 4) / 2 * 2;
      const double u0 = (pair[0] >> 8) * 0x1p-24, u1 = (pair[1] >> 8) * 0x1p-24;
      const double r = std::sqrt(-2 * std::log(1 - u0)), angle = 2 * M_PI * u1;
      const double z = i % 2 == 0 ? r * std::cos(angle) : r * std::sin(angle);
      // Each function is within 4 ulp, and the angle's rounding shifts cos and sin by an ulp of 2 pi.
      ASSERT_NEAR(y[i], 1 + 2 * z, 2 * (8 * 0x1p-53 * std::abs(z) + 4 * 0x1p-51 * r) + 0x1p-52);
    }
  }
}

TEST_F(RandomKernelsTest, MomentsAreRight) {
  const int64_t n = 1 << 20;
  const auto normal = As<float>(Draw("random_normal", DType::kF32, n, 0, 1));
  double sum = 0, squares = 0;
  for (float v : normal) {
    ASSERT_TRUE(std::isfinite(v));
    sum += v;
    squares += v * v;
  }
  // Five standard deviations of the estimates.
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2.0 / n));
  const auto bits = As<uint8_t>(Draw("random_bernoulli", DType::kBool, n, 0.3, 0));
  double ones = 0;
  for (uint8_t b : bits) {
    ASSERT_LE(b, 1);
    ones += b;
  }
  EXPECT_NEAR(ones / n, 0.3, 5 * std::sqrt(0.21 / n));
}

TEST_F(RandomKernelsTest, BernoulliExtremesAndDTypes) {
  EXPECT_EQ(As<float>(Draw("random_bernoulli", DType::kF32, 999, 0, 0)),
            std::vector<float>(999, 0));
  EXPECT_EQ(As<int64_t>(Draw("random_bernoulli", DType::kI64, 999, 1, 0)),
            std::vector<int64_t>(999, 1));
}

// R20
TEST_F(RandomKernelsTest, SameBitsOnEveryLevelAndForAnyNumberOfThreads) {
  for (const char* op : {"random_uniform", "random_normal"}) {
    for (DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
      const int64_t n = 100003;
      ASSERT_TRUE(backend_.SetOption("isa", "baseline").ok());
      ASSERT_TRUE(backend_.SetOption("threads", "1").ok());
      const auto expected = Draw(op, dtype, n, 0, 1);
      for (Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
        if (isa > DetectIsa()) continue;
        ASSERT_TRUE(backend_.SetOption("isa", IsaName(isa)).ok());
        for (const char* threads : {"1", "3"}) {
          ASSERT_TRUE(backend_.SetOption("threads", threads).ok());
          EXPECT_EQ(Draw(op, dtype, n, 0, 1), expected) << op << " " << IsaName(isa);
        }
      }
    }
  }
}

TEST_F(RandomKernelsTest, DropoutKeepsAndScales) {
  const int64_t n = 777;
  std::vector<float> x(n);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(i + 1);
  std::vector<std::byte> bytes(n * 4);
  std::memcpy(bytes.data(), x.data(), n * 4);
  for (double rate : {0.0, 0.25, 0.999}) {
    const auto y = As<float>(
        Run("dropout",
            {AttributeDef::Optional("rate", rate, ""), AttributeDef::Optional("delta", 3, "")},
            {DType::kF32, {n}}, {{DType::kF32, {n}}, {DType::kI64, {2}}}, {bytes, State(9, 4)}));
    const float scale = static_cast<float>(1 / (1 - rate));
    for (int64_t i = 0; i < n; ++i) {
      uint32_t words[4];
      isa_baseline::Philox(9, 7 + i / 4, 0, 1, words);
      const double u = (words[i % 4] >> 8) * 0x1p-24;
      ASSERT_EQ(y[i], u < 1 - rate ? x[i] * scale : 0.0f) << i << " at rate " << rate;
    }
  }
}

TEST_F(RandomKernelsTest, FullAndArange) {
  const auto full = [&](DType dtype, double value) {
    return Run("full", {AttributeDef::Optional("value", value, "")}, {dtype, {3, 70}}, {}, {});
  };
  EXPECT_EQ(As<float>(full(DType::kF32, 0.1)), std::vector<float>(210, 0.1f));
  EXPECT_EQ(As<uint16_t>(full(DType::kF16, 1.5)), std::vector<uint16_t>(210, 0x3E00));
  EXPECT_EQ(As<int32_t>(full(DType::kI32, 1e20)), std::vector<int32_t>(210, INT32_MAX));
  EXPECT_EQ(As<uint8_t>(full(DType::kBool, -0.5)), std::vector<uint8_t>(210, 1));
  EXPECT_EQ(As<int64_t>(full(DType::kI64, NAN)), std::vector<int64_t>(210, 0));
  const auto arange = [&](DType dtype, double start, double step, int64_t n) {
    return Run(
        "arange",
        {AttributeDef::Optional("start", start, ""), AttributeDef::Optional("step", step, "")},
        {dtype, {n}}, {}, {});
  };
  EXPECT_THAT(As<float>(arange(DType::kF32, 1, 0.5, 4)), ElementsAre(1, 1.5f, 2, 2.5f));
  EXPECT_THAT(As<int8_t>(arange(DType::kI8, 3, -2, 4)), ElementsAre(3, 1, -1, -3));
  const auto many = As<int64_t>(arange(DType::kI64, 0, 3, 100000));
  for (int64_t i = 0; i < 100000; ++i) ASSERT_EQ(many[i], 3 * i);
}

}  // namespace
}  // namespace tandem::cpu_backend
