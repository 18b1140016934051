#include "tandem/backends/cpu/kernels/kernel_tester.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/elementwise.h"
#include "tandem/backends/cpu/kernels/register_kernels.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/op_def.h"

namespace tandem::cpu_backend {
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

absl::StatusOr<Ref<Buffer>> Poisoned(Device& device, int64_t bytes) {
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, device.allocator().Allocate(bytes));
  TANDEM_ASSIGN_OR_RETURN(std::byte * data, buffer->Map());
  std::memset(data, 0xFF, bytes);
  return buffer;
}

absl::StatusOr<Ref<Buffer>> Upload(CpuDevice& device, const TestTensor& tensor) {
  int64_t elements = 1;
  ForElements(tensor.layout, [&](int64_t, int64_t at) { elements = std::max(elements, at + 1); });
  const DType dtype = tensor.layout.spec.dtype;
  TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, Poisoned(device, elements * DTypeSize(dtype)));
  TANDEM_ASSIGN_OR_RETURN(std::byte * data, buffer->Map());
  DispatchDType(dtype, [&](auto zero) {
    using T = decltype(zero);
    ForElements(tensor.layout, [&](int64_t i, int64_t at) {
      const T value = static_cast<T>(tensor.values[i]);
      std::memcpy(data + at * sizeof(T), &value, sizeof(T));
    });
  });
  return buffer;
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

absl::StatusOr<std::vector<std::vector<std::byte>>> RunOnce(
    const KernelRegistry& registry, CpuDevice& device, const KernelRequest& request,
    const std::vector<TestTensor>& inputs, const std::vector<TensorSpec>& outputs) {
  const KernelDef* def = registry.Find(request);
  if (def == nullptr) return absl::NotFoundError("no kernel for " + request.op.name);
  if (!def->strided_inputs) {
    for (const TensorLayout& layout : request.inputs) {
      if (!layout.is_contiguous() || layout.offset != 0) {
        return absl::FailedPreconditionError(def->name + " takes contiguous inputs only");
      }
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const Ref<const PreparedKernel> kernel, def->prepare(request));
  std::vector<Ref<Buffer>> buffers;
  std::vector<BufferView> input_views, output_views;
  for (const TestTensor& input : inputs) {
    TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, Upload(device, input));
    input_views.push_back(BufferView::Of(*buffer));
    buffers.push_back(std::move(buffer));
  }
  std::vector<Ref<Buffer>> results;
  for (const TensorSpec& output : outputs) {
    TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, Poisoned(device, output.num_bytes()));
    output_views.push_back(BufferView::Of(*buffer));
    results.push_back(std::move(buffer));
  }
  BufferView workspace;
  if (kernel->workspace_bytes() > 0) {
    TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, Poisoned(device, kernel->workspace_bytes()));
    workspace = BufferView::Of(*buffer);
    buffers.push_back(std::move(buffer));
  }
  TANDEM_RETURN_IF_ERROR(
      kernel->Record(device.default_stream(), input_views, output_views, workspace));
  std::vector<std::vector<std::byte>> bytes;
  for (size_t i = 0; i < results.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(std::byte * data, results[i]->Map());
    bytes.emplace_back(data, data + outputs[i].num_bytes());
  }
  return bytes;
}

}  // namespace

TestTensor Restride(TestTensor tensor, const std::vector<int>& axes, int64_t step, int64_t offset) {
  int64_t stride = step;
  for (int i = static_cast<int>(axes.size()) - 1; i >= 0; --i) {
    tensor.layout.strides[axes[i]] = stride;
    stride *= tensor.layout.spec.shape[axes[i]];
  }
  tensor.layout.offset = offset;
  return tensor;
}

std::vector<Isa> TestedIsas() {
  std::vector<Isa> isas;
  for (Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (isa <= DetectIsa()) isas.push_back(isa);
  }
  return isas;
}

std::string IsaTestName(Isa isa) { return std::string(IsaName(isa)); }

KernelTester::KernelTester(Isa isa)
    : runtime_(std::make_shared<CpuRuntime>(2)),
      device_(std::make_unique<CpuDevice>(0, runtime_, CpuAllocator::Options())) {
  runtime_->isa = isa;
  absl::Status status = RegisterStandardKernels(&registry_);
  EXPECT_TRUE(status.ok()) << status;
  status = RegisterElementwiseKernels(&registry_);
  EXPECT_TRUE(status.ok()) << status;
}

std::string KernelTester::KernelName(const OpDef& op, const std::vector<AttributeInit>& attrs,
                                     const std::vector<TestTensor>& inputs,
                                     const std::vector<TensorSpec>& outputs) {
  const absl::StatusOr<AttributeMap> map = AttributeMap::Create(op.attributes, attrs);
  if (!map.ok()) return "";
  std::vector<TensorLayout> in, out;
  for (const TestTensor& input : inputs) in.push_back(input.layout);
  for (const TensorSpec& output : outputs) out.push_back(TensorLayout::Contiguous(output));
  const KernelDef* const kernel = registry_.Find({op, *map, in, out, *device_});
  return kernel == nullptr ? "" : kernel->name;
}

bool KernelTester::Supports(absl::string_view name, const std::vector<AttributeInit>& attrs,
                            const std::vector<TestTensor>& inputs,
                            const std::vector<TensorSpec>& outputs) {
  return !KernelName(MakeOp(name, attrs), attrs, inputs, outputs).empty();
}

std::vector<std::vector<double>> KernelTester::Run(absl::string_view name,
                                                   const std::vector<AttributeInit>& attrs,
                                                   const std::vector<TestTensor>& inputs,
                                                   const std::vector<TensorSpec>& outputs) {
  return Run(MakeOp(name, attrs), attrs, inputs, outputs);
}

std::vector<std::vector<double>> KernelTester::Run(const OpDef& op,
                                                   const std::vector<AttributeInit>& attrs,
                                                   const std::vector<TestTensor>& inputs,
                                                   const std::vector<TensorSpec>& outputs) {
  const absl::StatusOr<AttributeMap> map = AttributeMap::Create(op.attributes, attrs);
  if (!map.ok()) {
    ADD_FAILURE() << map.status();
    return {};
  }
  std::vector<TensorLayout> in, out;
  for (const TestTensor& input : inputs) in.push_back(input.layout);
  for (const TensorSpec& output : outputs) out.push_back(TensorLayout::Contiguous(output));
  const KernelRequest request = {op, *map, in, out, *device_};
  std::vector<std::vector<std::byte>> first;
  for (int threads : {1, 2}) {
    EXPECT_TRUE(runtime_->pool.SetThreads(threads).ok());
    auto bytes = RunOnce(registry_, *device_, request, inputs, outputs);
    if (!bytes.ok()) {
      ADD_FAILURE() << op.name << ": " << bytes.status();
      return {};
    }
    if (threads == 1) {
      first = *std::move(bytes);
    } else {
      EXPECT_TRUE(first == *bytes) << op.name << " depends on the number of threads";
    }
  }
  std::vector<std::vector<double>> values;
  for (size_t i = 0; i < outputs.size(); ++i) {
    DispatchDType(outputs[i].dtype, [&](auto zero) {
      using T = decltype(zero);
      std::vector<double>& list = values.emplace_back(first[i].size() / sizeof(T));
      for (size_t k = 0; k < list.size(); ++k) {
        T value;
        std::memcpy(&value, first[i].data() + k * sizeof(T), sizeof(T));
        list[k] = static_cast<double>(value);
      }
    });
  }
  return values;
}

}  // namespace tandem::cpu_backend
