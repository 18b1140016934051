#include "tandem/backends/vulkan/kernels/creation/creation_kernels.h"

#include <bit>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/elementwise/elementwise_plan.h"
#include "tandem/backends/vulkan/kernels/creation/arange_shaders.h"
#include "tandem/backends/vulkan/kernels/creation/fill_shaders.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/scalar_reference.h"

namespace tandem::vulkan_backend {
namespace {

// f64 to the bits of a dtype, as the op cast does it.
uint64_t ElementBits(double value, DType dtype) {
  const ScalarNumber number =
      CastScalar(ScalarNumber::Real(ScalarType::kF64, value), ComputeType(dtype));
  return DispatchDType(dtype, [&](auto zero) {
    using T = decltype(zero);
    T element;
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      element = T(static_cast<float>(number.real));
    } else if constexpr (std::is_floating_point_v<T>) {
      element = static_cast<T>(number.real);
    } else {
      element = static_cast<T>(number.integer);
    }
    uint64_t bits = 0;
    std::memcpy(&bits, &element, sizeof(T));
    return bits;
  });
}

absl::Status CheckSize(const KernelRequest& request) {
  const TensorSpec& spec = request.outputs[0].spec;
  if (spec.num_bytes() <= kMaxElementwise) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      request.op.name, ": ", spec.ToString(),
      " is too large for the vulkan kernel: 2^31 bytes; make parts and concatenate them"));
}

struct FillConstants {
  uint32_t pattern[2];
  uint32_t num_bytes;
  uint32_t unused = 0;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareFull(const KernelRequest& request) {
  TANDEM_RETURN_IF_ERROR(CheckSize(request));
  const TensorSpec& spec = request.outputs[0].spec;
  uint64_t bits = ElementBits(request.attrs.Double("value"), spec.dtype);
  for (int64_t bytes = DTypeSize(spec.dtype); bytes < 8; bytes *= 2) bits |= bits << (8 * bytes);
  const auto low = static_cast<uint32_t>(bits), high = static_cast<uint32_t>(bits >> 32);
  KernelBuilder b(request, "full");
  if (low == high && spec.num_bytes() % 4 == 0) {
    b.Fill(b.Output(0), low);
  } else {
    const int64_t words = (spec.num_bytes() + 3) / 4;
    b.Dispatch(FillShader(), {kElementwiseGroup}, {ReadWrite(b.Output(0))},
               FillConstants{{low, high}, static_cast<uint32_t>(spec.num_bytes())},
               GroupsFor((words + 3) / 4, kElementwiseGroup));
  }
  return b.Finish();
}

// Elements that were calculated on the host, for devices without f64.
class CopyKernel final : public PreparedKernel {
 public:
  explicit CopyKernel(Ref<Buffer> elements) : elements_(std::move(elements)) {}
  std::string description() const override { return "copy of elements from the host"; }
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    if (elements_ == nullptr) return absl::OkStatus();
    return recorder.Copy(BufferView::Of(*elements_, 0, outputs[0].size), outputs[0]);
  }

 private:
  Ref<Buffer> elements_;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareArangeOnHost(const KernelRequest& request) {
  const TensorSpec& spec = request.outputs[0].spec;
  const int64_t n = spec.shape.num_elements(), bytes = DTypeSize(spec.dtype);
  Ref<Buffer> elements;
  if (n > 0) {
    TANDEM_ASSIGN_OR_RETURN(elements,
                            request.device.allocator().Allocate(n * bytes, MemoryKind::kUpload));
    TANDEM_ASSIGN_OR_RETURN(std::byte * data, elements->Map());
    const double start = request.attrs.Double("start"), step = request.attrs.Double("step");
    for (int64_t i = 0; i < n; ++i) {
      const uint64_t bits = ElementBits(start + static_cast<double>(i) * step, spec.dtype);
      std::memcpy(data + i * bytes, &bits, bytes);
    }
    TANDEM_RETURN_IF_ERROR(elements->Unmap());
  }
  return Ref<const PreparedKernel>(MakeRef<const CopyKernel>(std::move(elements)));
}

struct ArangeConstants {
  double start;
  double step;
  uint32_t n;
  uint32_t unused = 0;
};

absl::StatusOr<Ref<const PreparedKernel>> PrepareArange(const KernelRequest& request) {
  TANDEM_RETURN_IF_ERROR(CheckSize(request));
  const TensorSpec& spec = request.outputs[0].spec;
  const Capabilities& capabilities = static_cast<VulkanDevice&>(request.device).capabilities();
  if (!capabilities.float64 || !capabilities.Computes(spec.dtype)) {
    return PrepareArangeOnHost(request);
  }
  KernelBuilder b(request, "arange");
  const int64_t n = spec.shape.num_elements();
  b.Dispatch(ArangeShader(), {kElementwiseGroup}, {Write(b.OutputAs(0, DType::kF64))},
             ArangeConstants{request.attrs.Double("start"), request.attrs.Double("step"),
                             static_cast<uint32_t>(n)},
             GroupsFor(n, kElementwiseGroup));
  return b.Finish();
}

// Any dtype: what the device cannot compute, the host does.
KernelDef ForAllDTypes(KernelDef def) {
  def.supports = nullptr;
  return def;
}

}  // namespace

absl::Status RegisterCreationKernels(KernelRegistry* kernels) {
  TANDEM_RETURN_IF_ERROR(
      kernels->Register(ForAllDTypes(VulkanKernelDef("full", "full", {}, PrepareFull))));
  return kernels->Register(ForAllDTypes(VulkanKernelDef("arange", "arange", {}, PrepareArange)));
}

}  // namespace tandem::vulkan_backend
