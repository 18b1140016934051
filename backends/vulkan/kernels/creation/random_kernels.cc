#include "tandem/backends/vulkan/kernels/creation/random_kernels.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/elementwise/elementwise_plan.h"
#include "tandem/backends/vulkan/kernels/creation/dropout_shaders.h"
#include "tandem/backends/vulkan/kernels/creation/random_bernoulli_shaders.h"
#include "tandem/backends/vulkan/kernels/creation/random_normal_shaders.h"
#include "tandem/backends/vulkan/kernels/creation/random_normal_without_f64_shaders.h"
#include "tandem/backends/vulkan/kernels/creation/random_uniform_shaders.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

using Words2 = std::array<uint32_t, 2>;

Words2 WordsOf(uint64_t value) {
  return {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)};
}

// The bits of a number of f32 (in the first word) or f64.
Words2 BitsOf(double value, DType dtype) {
  if (dtype == DType::kF64) return WordsOf(std::bit_cast<uint64_t>(value));
  return {std::bit_cast<uint32_t>(static_cast<float>(value)), 0};
}

// Of random_uniform (low, range) and random_normal (mean, standard deviation).
struct DrawConstants {
  Words2 delta;
  Words2 a;
  Words2 b;
  uint32_t n;
  uint32_t unused = 0;
};

// Of dropout (scale) and random_bernoulli (the bits of one).
struct MaskConstants {
  Words2 delta;
  Words2 value;
  uint32_t n;
  uint32_t threshold;
};

// Where an element is kept: word >> 8 < threshold. u < p is k < p 2^24 for the 24-bit integer k of u.
uint32_t ThresholdOf(double p) { return static_cast<uint32_t>(std::ceil(p * 0x1p24)); }

Words2 DeltaOf(const KernelRequest& request) {
  return WordsOf(static_cast<uint64_t>(request.attrs.Int("delta")));
}

// f64 is drawn in f64, all other types in f32.
DType DrawTypeOf(const KernelRequest& request) {
  return request.outputs[0].spec.dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}

absl::StatusOr<uint32_t> SizeOf(const KernelRequest& request) {
  const TensorSpec& spec = request.outputs[0].spec;
  const int64_t n = spec.shape.num_elements();
  if (n <= kMaxElementwise) return static_cast<uint32_t>(n);
  return absl::ResourceExhaustedError(absl::StrCat(request.op.name, ": ", spec.ToString(),
                                                   " has 2^31 or more elements; draw parts"));
}

// Work groups, with four elements an invocation.
std::array<uint32_t, 3> GridFor(uint32_t n) {
  return GroupsFor((int64_t{n} + 3) / 4, kElementwiseGroup);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareDraw(const KernelRequest& request,
                                                      const Shader* shader, double a, double b) {
  TANDEM_ASSIGN_OR_RETURN(const uint32_t n, SizeOf(request));
  const DType type = DrawTypeOf(request);
  KernelBuilder builder(request, request.op.name);
  builder.Dispatch(
      shader, {kElementwiseGroup}, {Read(builder.Input(0)), Write(builder.OutputAs(0, type))},
      DrawConstants{DeltaOf(request), BitsOf(a, type), BitsOf(b, type), n}, GridFor(n));
  return builder.Finish();
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareUniform(const KernelRequest& request) {
  const double low = request.attrs.Double("low"), high = request.attrs.Double("high");
  const DType type = DrawTypeOf(request);
  const double range =
      type == DType::kF64 ? high - low : static_cast<float>(high) - static_cast<float>(low);
  return PrepareDraw(request, RandomUniformShader(type), low, range);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareNormal(const KernelRequest& request) {
  const DType type = DrawTypeOf(request);
  const bool has_f64 = static_cast<VulkanDevice&>(request.device).capabilities().float64;
  return PrepareDraw(request,
                     has_f64 ? RandomNormalShader(type) : RandomNormalWithoutF64Shader(type),
                     request.attrs.Double("mean"), request.attrs.Double("stddev"));
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareDropout(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const uint32_t n, SizeOf(request));
  const DType type = DrawTypeOf(request);
  const double keep = 1 - request.attrs.Double("rate");
  KernelBuilder b(request, "dropout");
  const Operand x = b.InputAs(0, type);
  b.Dispatch(DropoutShader(type), {kElementwiseGroup},
             {Read(x), Read(b.Input(1)), Write(b.OutputAs(0, type))},
             MaskConstants{DeltaOf(request), BitsOf(1 / keep, type), n, ThresholdOf(keep)},
             GridFor(n));
  return b.Finish();
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareBernoulli(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const uint32_t n, SizeOf(request));
  const DType dtype = request.outputs[0].spec.dtype;
  uint64_t one = 0;
  DispatchDType(dtype, [&](auto zero) {
    const decltype(zero) value(1.0f);
    std::memcpy(&one, &value, sizeof(value));
  });
  KernelBuilder b(request, "random_bernoulli");
  b.Dispatch(
      RandomBernoulliShader(), {kElementwiseGroup, static_cast<uint32_t>(DTypeSize(dtype))},
      {Read(b.Input(0)), ReadWrite(b.Output(0))},
      MaskConstants{DeltaOf(request), WordsOf(one), n, ThresholdOf(request.attrs.Double("p"))},
      GridFor(n));
  return b.Finish();
}

// The state is i64, which is not computed with.
bool ComputesOutput(const KernelRequest& request) {
  const Capabilities& capabilities = static_cast<VulkanDevice&>(request.device).capabilities();
  return capabilities.Computes(request.outputs[0].spec.dtype);
}

}  // namespace

absl::Status RegisterRandomKernels(KernelRegistry* kernels) {
  const auto add = [kernels](const char* op, auto* prepare, bool computes) {
    KernelDef def = VulkanKernelDef(op, "philox", {}, prepare);
    def.supports = nullptr;
    if (computes) def.supports = ComputesOutput;
    return kernels->Register(std::move(def));
  };
  TANDEM_RETURN_IF_ERROR(add("random_uniform", PrepareUniform, true));
  TANDEM_RETURN_IF_ERROR(add("random_normal", PrepareNormal, true));
  TANDEM_RETURN_IF_ERROR(add("dropout", PrepareDropout, true));
  return add("random_bernoulli", PrepareBernoulli, false);
}

}  // namespace tandem::vulkan_backend
