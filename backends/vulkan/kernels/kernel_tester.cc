#include "tandem/backends/vulkan/kernels/kernel_tester.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/validation_log.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_def.h"

namespace tandem::vulkan_backend {
namespace {

constexpr int64_t kGuardBytes = 4096;  // a multiple of every device's alignment
constexpr std::byte kPoison{0xFF};     // NaN in every floating-point type

// Calls fn(row-major index, element in the buffer).
template <typename Fn>
void ForElements(const TensorLayout& layout, Fn&& fn) {
  const Shape& shape = layout.spec.shape;
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    int64_t rest = i;
    int64_t at = layout.offset;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      at += rest % shape[axis] * layout.strides[axis];
      rest /= shape[axis];
    }
    fn(i, at);
  }
}

// A part of a device buffer between guard bands.
struct Guarded {
  Ref<Buffer> buffer;
  int64_t bytes = 0;

  BufferView view() const { return BufferView::Of(*buffer, kGuardBytes, bytes); }
};

absl::StatusOr<Guarded> Upload(VulkanDevice& device, const std::vector<std::byte>& data) {
  const auto bytes = static_cast<int64_t>(data.size());
  const int64_t total = 2 * kGuardBytes + bytes;
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> staging,
                          device.allocator().Allocate(total, MemoryKind::kUpload));
  TANDEM_ASSIGN_OR_RETURN(std::byte* const mapped, staging->Map());
  std::fill_n(mapped, total, kPoison);
  std::copy(data.begin(), data.end(), mapped + kGuardBytes);
  TANDEM_RETURN_IF_ERROR(staging->Unmap());
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, device.allocator().Allocate(total));
  Stream& stream = device.default_stream();
  TANDEM_RETURN_IF_ERROR(
      stream.Copy(BufferView::Of(*staging, 0, total), BufferView::Of(*buffer, 0, total)));
  return Guarded{std::move(buffer), bytes};
}

absl::StatusOr<std::vector<std::byte>> Download(VulkanDevice& device, const Guarded& guarded,
                                                absl::string_view what) {
  const int64_t total = 2 * kGuardBytes + guarded.bytes;
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> staging,
                          device.allocator().Allocate(total, MemoryKind::kReadback));
  Stream& stream = device.default_stream();
  TANDEM_RETURN_IF_ERROR(
      stream.Copy(BufferView::Of(*guarded.buffer, 0, total), BufferView::Of(*staging, 0, total)));
  TANDEM_RETURN_IF_ERROR(stream.Synchronize(stream.Now()));
  TANDEM_ASSIGN_OR_RETURN(std::byte* const mapped, staging->Map());
  const auto is_poison = [](std::byte b) { return b == kPoison; };
  EXPECT_TRUE(std::all_of(mapped, mapped + kGuardBytes, is_poison))
      << "bytes before " << what << " were overwritten";
  EXPECT_TRUE(std::all_of(mapped + kGuardBytes + guarded.bytes, mapped + total, is_poison))
      << "bytes behind " << what << " were overwritten";
  std::vector<std::byte> data(mapped + kGuardBytes, mapped + kGuardBytes + guarded.bytes);
  TANDEM_RETURN_IF_ERROR(staging->Unmap());
  return data;
}

std::vector<std::byte> BytesOfTensor(const TestTensor& tensor) {
  int64_t elements = 0;
  ForElements(tensor.layout, [&](int64_t, int64_t at) { elements = std::max(elements, at + 1); });
  const DType dtype = tensor.layout.spec.dtype;
  std::vector<std::byte> data(elements * DTypeSize(dtype), kPoison);
  DispatchDType(dtype, [&](auto zero) {
    using T = decltype(zero);
    ForElements(tensor.layout, [&](int64_t i, int64_t at) {
      const T value = static_cast<T>(tensor.values[i]);
      std::memcpy(data.data() + at * sizeof(T), &value, sizeof(T));
    });
  });
  return data;
}

// An op that has only what a kernel looks at: a name and attributes.
OpDef MakeOp(absl::string_view name, const std::vector<AttributeInit>& attrs) {
  OpDef op;
  op.name = std::string(name);
  std::vector<AttributeDef> defs;
  for (const AttributeInit& attr : attrs) {
    defs.push_back(AttributeDef::Optional(std::string(attr.first), attr.second, ""));
  }
  op.attributes = AttributeSchema(std::move(defs));
  return op;
}

absl::StatusOr<std::unique_ptr<VulkanDevice>> OpenDevice(
    const std::function<void(Capabilities*)>& restrict) {
  TANDEM_ASSIGN_OR_RETURN(auto instance, Instance::Get({.validation = Validation::kSync}));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<PhysicalDevice> devices,
                          ListPhysicalDevices(*instance));
  Capabilities capabilities = devices[0].capabilities;
  if (restrict) restrict(&capabilities);
  TANDEM_ASSIGN_OR_RETURN(
      std::shared_ptr<VulkanContext> context,
      VulkanContext::Create(DeviceId{VulkanDeviceType(), 0}, std::move(instance), devices[0],
                            capabilities, std::make_shared<FaultInjector>()));
  return VulkanDevice::Create(std::move(context), VulkanDeviceOptions());
}

}  // namespace

TestTensor MakeTensor(const TensorSpec& spec, std::vector<double> values) {
  return {TensorLayout::Contiguous(spec), std::move(values)};
}

TestTensor RandomTensor(const TensorSpec& spec, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(spec.shape.num_elements());
  for (double& value : values) {
    if (IsFloating(spec.dtype)) {
      value = RoundTo(spec.dtype, normal(generator));
    } else if (spec.dtype == DType::kBool) {
      value = static_cast<double>(generator() % 2);
    } else {
      value =
          spec.dtype == DType::kU8 ? generator() % 10 : static_cast<double>(generator() % 19) - 9;
    }
  }
  return MakeTensor(spec, std::move(values));
}

TestTensor Restride(TestTensor tensor, const Strides& strides, int64_t offset) {
  tensor.layout.strides = strides;
  tensor.layout.offset = offset;
  return tensor;
}

double RoundTo(DType dtype, double value) {
  return DispatchDType(
      dtype, [&](auto zero) { return static_cast<double>(static_cast<decltype(zero)>(value)); });
}

KernelTester::KernelTester(std::initializer_list<absl::Status (*)(KernelRegistry*)> families,
                           const std::function<void(Capabilities*)>& restrict) {
  for (auto family : families) {
    const absl::Status status = family(&registry_);
    EXPECT_TRUE(status.ok()) << status;
  }
  absl::StatusOr<std::unique_ptr<VulkanDevice>> device = OpenDevice(restrict);
  if (device.ok()) {
    device_ = *std::move(device);
    return;
  }
  reason_ = device.status().ToString();
  EXPECT_TRUE(absl::IsUnavailable(device.status())) << reason_;
}

KernelTester::~KernelTester() {
  device_ = nullptr;  // its end is validated too
  const std::vector<std::string> messages = ValidationLog::Global().Take();
  EXPECT_TRUE(messages.empty()) << absl::StrJoin(messages, "\n");
}

absl::StatusOr<std::vector<std::vector<std::byte>>> KernelTester::RunOnce(
    const KernelRequest& request, const std::vector<TestTensor>& inputs, bool in_command_buffer) {
  const KernelDef* def = registry_.Find(request);
  if (def == nullptr) return absl::NotFoundError("no kernel for " + request.op.name);
  if (!def->strided_inputs) {
    for (const TensorLayout& layout : request.inputs) {
      if (!layout.is_contiguous() || layout.offset != 0) {
        return absl::FailedPreconditionError(def->name + " takes contiguous inputs only");
      }
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const Ref<const PreparedKernel> kernel, def->prepare(request));
  description_ = kernel->description();
  std::vector<Guarded> all;
  std::vector<BufferView> input_views, output_views;
  const auto upload = [&](const std::vector<std::byte>& data) -> absl::StatusOr<BufferView> {
    TANDEM_ASSIGN_OR_RETURN(Guarded guarded, Upload(*device_, data));
    all.push_back(std::move(guarded));
    return all.back().view();
  };
  for (const TestTensor& input : inputs) {
    TANDEM_ASSIGN_OR_RETURN(const BufferView view, upload(BytesOfTensor(input)));
    input_views.push_back(view);
  }
  const size_t first_output = all.size();
  for (const TensorLayout& output : request.outputs) {
    TANDEM_ASSIGN_OR_RETURN(const BufferView view,
                            upload(std::vector<std::byte>(output.spec.num_bytes(), kPoison)));
    output_views.push_back(view);
  }
  BufferView workspace;
  if (kernel->workspace_bytes() > 0) {
    TANDEM_ASSIGN_OR_RETURN(workspace,
                            upload(std::vector<std::byte>(kernel->workspace_bytes(), kPoison)));
  }
  Stream& stream = device_->default_stream();
  if (in_command_buffer) {
    TANDEM_ASSIGN_OR_RETURN(Ref<CommandBuffer> commands, device_->CreateCommandBuffer(0));
    TANDEM_RETURN_IF_ERROR(kernel->Record(*commands, input_views, output_views, workspace));
    TANDEM_RETURN_IF_ERROR(commands->Finish());
    TANDEM_RETURN_IF_ERROR(stream.Submit(commands, {}).status());
  } else {
    TANDEM_RETURN_IF_ERROR(kernel->Record(stream, input_views, output_views, workspace));
  }
  std::vector<std::vector<std::byte>> results;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool is_output = i >= first_output && i < first_output + request.outputs.size();
    TANDEM_ASSIGN_OR_RETURN(
        std::vector<std::byte> data,
        Download(*device_, all[i],
                 absl::StrCat(request.op.name, "'s ",
                              i < first_output ? absl::StrCat("input ", i)
                              : is_output      ? absl::StrCat("output ", i - first_output)
                                               : "workspace")));
    if (i < first_output) {
      EXPECT_TRUE(data == BytesOfTensor(inputs[i])) << "input " << i << " was overwritten";
    }
    if (is_output) results.push_back(std::move(data));
  }
  return results;
}

std::vector<std::vector<double>> KernelTester::Run(absl::string_view name,
                                                   const std::vector<AttributeInit>& attrs,
                                                   const std::vector<TestTensor>& inputs,
                                                   const std::vector<TensorSpec>& outputs) {
  const OpDef op = MakeOp(name, attrs);
  const absl::StatusOr<AttributeMap> map = AttributeMap::Create(op.attributes, attrs);
  if (!map.ok()) {
    ADD_FAILURE() << map.status();
    return {};
  }
  std::vector<TensorLayout> in, out;
  for (const TestTensor& input : inputs) in.push_back(input.layout);
  for (const TensorSpec& output : outputs) out.push_back(TensorLayout::Contiguous(output));
  const KernelRequest request = {op, *map, in, out, *device_};
  const auto first = RunOnce(request, inputs, false);
  const auto second = RunOnce(request, inputs, true);
  for (const auto* run : {&first, &second}) {
    if (run->ok()) continue;
    ADD_FAILURE() << name << ": " << run->status();
    return {};
  }
  EXPECT_TRUE(*first == *second) << name << " gives other bits in a command buffer";
  std::vector<std::vector<double>> values;
  for (size_t i = 0; i < outputs.size(); ++i) {
    DispatchDType(outputs[i].dtype, [&](auto zero) {
      using T = decltype(zero);
      std::vector<double>& list = values.emplace_back((*first)[i].size() / sizeof(T));
      for (size_t k = 0; k < list.size(); ++k) {
        T value;
        std::memcpy(&value, (*first)[i].data() + k * sizeof(T), sizeof(T));
        list[k] = static_cast<double>(value);
      }
    });
  }
  return values;
}

absl::Status KernelTester::Prepare(absl::string_view name, const std::vector<AttributeInit>& attrs,
                                   const std::vector<TensorSpec>& inputs,
                                   const std::vector<TensorSpec>& outputs) {
  const OpDef op = MakeOp(name, attrs);
  TANDEM_ASSIGN_OR_RETURN(const AttributeMap map, AttributeMap::Create(op.attributes, attrs));
  std::vector<TensorLayout> in, out;
  for (const TensorSpec& input : inputs) in.push_back(TensorLayout::Contiguous(input));
  for (const TensorSpec& output : outputs) out.push_back(TensorLayout::Contiguous(output));
  const KernelRequest request = {op, map, in, out, *device_};
  const KernelDef* def = registry_.Find(request);
  if (def == nullptr) return absl::NotFoundError(absl::StrCat("no kernel for ", name));
  return def->prepare(request).status();
}

}  // namespace tandem::vulkan_backend
