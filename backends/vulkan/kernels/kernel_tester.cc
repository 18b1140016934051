#include "tandem/backends/vulkan/kernels/kernel_tester.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tandem/backends/vulkan/driver/validation_log.h"
#include "tandem/backends/vulkan/guarded_buffer.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_def.h"

namespace tandem::vulkan_backend {
namespace {

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

TestTensor Restride(TestTensor tensor, const Strides& strides, int64_t offset) {
  tensor.layout.strides = strides;
  tensor.layout.offset = offset;
  return tensor;
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
  std::vector<GuardedBuffer> all;
  std::vector<BufferView> input_views, output_views;
  for (const TestTensor& input : inputs) {
    TANDEM_ASSIGN_OR_RETURN(GuardedBuffer buffer,
                            GuardedBuffer::Upload(*device_, BytesOfTensor(input)));
    input_views.push_back(all.emplace_back(std::move(buffer)).view());
  }
  const size_t first_output = all.size();
  for (const TensorLayout& output : request.outputs) {
    TANDEM_ASSIGN_OR_RETURN(GuardedBuffer buffer,
                            GuardedBuffer::Poisoned(*device_, output.spec.num_bytes()));
    output_views.push_back(all.emplace_back(std::move(buffer)).view());
  }
  BufferView workspace;
  if (kernel->workspace_bytes() > 0) {
    TANDEM_ASSIGN_OR_RETURN(GuardedBuffer buffer,
                            GuardedBuffer::Poisoned(*device_, kernel->workspace_bytes()));
    workspace = all.emplace_back(std::move(buffer)).view();
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
        all[i].Download(*device_,
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
