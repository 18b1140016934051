// Speed of matrix products and convolutions on the first Vulkan device, as GFLOP/s.
//
//   bazel run -c opt //backends/vulkan/kernels:contraction_benchmark
//   bazel run -c opt //backends/vulkan/kernels:contraction_benchmark -- --benchmark_filter=plans/
//
// Products have the names m x n x k; "dense" is the layout of a layer, y = x w^T. Each iteration
// submits a recorded command buffer and waits for it; "CPU" is the time of all threads, so for a driver
// that runs on a CPU also of its own. "plans/" runs every plan of a few products, to
// see whether PlanContraction takes the right one: on a driver that runs on a CPU they are slow.
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "tandem/backends/vulkan/kernels/contraction/convolution.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul.h"
#include "tandem/backends/vulkan/vulkan_backend.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/device/command.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/op/op_def.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem::vulkan_backend {
namespace {

// An op on tensors: all that a kernel is prepared from.
struct Work {
  std::string name;
  std::shared_ptr<OpDef> op;  // which the attributes point to
  AttributeMap attrs;
  std::vector<TensorLayout> inputs, outputs;
  double flops = 0;

  KernelRequest Request(Device& device) const { return {*op, attrs, inputs, outputs, device}; }
};

Work MakeWork(std::string name, std::string op, std::vector<AttributeInit> attrs,
              const std::vector<Shape>& inputs, const Shape& output, double flops) {
  Work work;
  work.name = std::move(name);
  work.op = std::make_shared<OpDef>();
  work.op->name = std::move(op);
  std::vector<AttributeDef> defs;
  for (const AttributeInit& attr : attrs) {
    defs.push_back(AttributeDef::Optional(std::string(attr.first), attr.second, ""));
  }
  work.op->attributes = AttributeSchema(std::move(defs));
  work.attrs = AttributeMap::Create(work.op->attributes, attrs).value();
  for (const Shape& shape : inputs) {
    work.inputs.push_back(TensorLayout::Contiguous({DType::kF32, shape}));
  }
  work.outputs.push_back(TensorLayout::Contiguous({DType::kF32, output}));
  work.flops = flops;
  return work;
}

Work Product(int64_t m, int64_t n, int64_t k, bool dense) {
  return MakeWork(absl::StrCat("matmul/", m, "x", n, "x", k, dense ? "/dense" : ""), "matmul",
                  {{"transpose_a", false}, {"transpose_b", dense}},
                  {Shape{m, k}, dense ? Shape{n, k} : Shape{k, n}}, {m, n},
                  2.0 * static_cast<double>(m * n * k));
}

// The three ops of a convolution with a square kernel, image and stride 1, or of a depthwise one.
std::vector<Work> Convolutions(int64_t batch, int64_t in, int64_t out, int64_t size, int64_t kernel,
                               int64_t padding, int64_t groups) {
  using Ints = std::vector<int64_t>;
  const int64_t out_size = size + 2 * padding - kernel + 1;
  const Shape x = {batch, in, size, size}, w = {out, in / groups, kernel, kernel};
  const Shape y = {batch, out, out_size, out_size};
  const std::vector<AttributeInit> attrs = {{"strides", Ints{1, 1}},
                                            {"padding", Ints{padding, padding}},
                                            {"dilation", Ints{1, 1}},
                                            {"groups", groups}};
  const double flops = 2.0 * static_cast<double>(y.num_elements() * in / groups * kernel * kernel);
  const std::string text =
      absl::StrCat("/", x.ToString(), w.ToString(), groups > 1 ? "/groups" : "");
  std::vector<AttributeInit> input_attrs = attrs, weight_attrs = attrs;
  input_attrs.push_back({"input_shape", Ints(x.begin(), x.end())});
  weight_attrs.push_back({"weight_shape", Ints(w.begin(), w.end())});
  return {MakeWork("conv2d" + text, "conv2d", attrs, {x, w}, y, flops),
          MakeWork("conv2d_backward_input" + text, "conv2d_backward_input", input_attrs, {y, w}, x,
                   flops),
          MakeWork("conv2d_backward_weight" + text, "conv2d_backward_weight", weight_attrs, {x, y},
                   w, flops)};
}

absl::StatusOr<Ref<const PreparedKernel>> Prepare(const Work& work, Device& device,
                                                  const ContractionPlan* plan) {
  if (work.op->name == "matmul") {
    MatmulOptions options;
    if (plan != nullptr) options.plan = *plan;
    return PrepareMatmul(work.Request(device), options);
  }
  ConvolutionOptions options;
  if (plan != nullptr) options.plan = *plan;
  return PrepareConvolution(work.Request(device), options);
}

absl::Status Run(benchmark::State& state, const Work& work, Device& device,
                 const ContractionPlan* plan) {
  TANDEM_ASSIGN_OR_RETURN(const Ref<const PreparedKernel> kernel, Prepare(work, device, plan));
  Stream& stream = device.default_stream();
  std::vector<Ref<Buffer>> buffers;
  const auto view = [&](int64_t bytes) -> absl::StatusOr<BufferView> {
    TANDEM_ASSIGN_OR_RETURN(Ref<Buffer> buffer, device.allocator().Allocate(bytes));
    const BufferView all = BufferView::Of(*buffer, 0, bytes);
    // Small numbers: subnormal ones would be slow.
    if (bytes > 0) TANDEM_RETURN_IF_ERROR(stream.Fill(all, 0x3f000000));
    buffers.push_back(std::move(buffer));
    return all;
  };
  std::vector<BufferView> inputs, outputs;
  for (const TensorLayout& layout : work.inputs) {
    TANDEM_ASSIGN_OR_RETURN(inputs.emplace_back(), view(layout.spec.num_bytes()));
  }
  TANDEM_ASSIGN_OR_RETURN(outputs.emplace_back(), view(work.outputs[0].spec.num_bytes()));
  TANDEM_ASSIGN_OR_RETURN(const BufferView workspace, view(kernel->workspace_bytes()));
  TANDEM_ASSIGN_OR_RETURN(const Ref<CommandBuffer> commands, device.CreateCommandBuffer(0));
  TANDEM_RETURN_IF_ERROR(kernel->Record(*commands, inputs, outputs, workspace));
  TANDEM_RETURN_IF_ERROR(commands->Finish());
  const auto submit = [&]() -> absl::Status {
    TANDEM_RETURN_IF_ERROR(stream.Submit(commands, {}).status());
    return stream.Synchronize(stream.Now());
  };
  TANDEM_RETURN_IF_ERROR(submit());  // the driver compiles
  for (auto _ : state) TANDEM_RETURN_IF_ERROR(submit());
  state.SetLabel(kernel->description());
  state.counters["GFLOP/s"] = benchmark::Counter(
      work.flops * static_cast<double>(state.iterations()) * 1e-9, benchmark::Counter::kIsRate);
  return absl::OkStatus();
}

void Register(const std::string& name, const Work& work, Device& device,
              const ContractionPlan* plan) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [&work, &device, plan](benchmark::State& state) {
                                 const absl::Status status = Run(state, work, device, plan);
                                 if (!status.ok()) state.SkipWithError(status.ToString().c_str());
                               })
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Unit(benchmark::kMicrosecond);
}

absl::Status RegisterAll(Device& device, std::deque<Work>* works,
                         std::deque<ContractionPlan>* plans) {
  const auto add = [&](Work work, bool all_plans) -> absl::Status {
    const Work& kept = works->emplace_back(std::move(work));
    Register(kept.name, kept, device, nullptr);
    if (!all_plans) return absl::OkStatus();
    const bool matmul = kept.op->name == "matmul";
    TANDEM_ASSIGN_OR_RETURN(
        const std::vector<ContractionPlan> all,
        matmul ? MatmulPlans(kept.Request(device)) : ConvolutionPlans(kept.Request(device)));
    for (const ContractionPlan& plan : all) {
      const ContractionPlan& kept_plan = plans->emplace_back(plan);
      Register(absl::StrCat("plans/", kept.name, "/", plan.ToString()), kept, device, &kept_plan);
    }
    return absl::OkStatus();
  };
  for (const int64_t size : {64, 128, 256}) {
    TANDEM_RETURN_IF_ERROR(add(Product(size, size, size, false), size == 256));
  }
  TANDEM_RETURN_IF_ERROR(add(Product(1, 256, 512, true), true));  // an MLP, one sample
  TANDEM_RETURN_IF_ERROR(add(Product(1, 512, 256, false), false));
  TANDEM_RETURN_IF_ERROR(add(Product(32, 256, 512, true), false));
  TANDEM_RETURN_IF_ERROR(add(Product(256, 10, 84, true), false));
  for (const bool second : {false, true}) {  // LeNet
    for (Work& work :
         second ? Convolutions(16, 6, 16, 12, 5, 0, 1) : Convolutions(16, 1, 6, 28, 5, 0, 1)) {
      TANDEM_RETURN_IF_ERROR(add(std::move(work), second));
    }
  }
  for (Work& work : Convolutions(1, 32, 32, 28, 3, 1, 32)) {
    TANDEM_RETURN_IF_ERROR(add(std::move(work), false));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace tandem::vulkan_backend

int main(int argc, char** argv) {
  tandem::vulkan_backend::VulkanBackend backend;
  auto device = backend.OpenDevice(0);
  if (!device.ok()) {
    std::fprintf(stderr, "%s\n", device.status().ToString().c_str());
    return 1;
  }
  std::printf("%s\n", (*device)->info().name.c_str());
  std::deque<tandem::vulkan_backend::Work> works;
  std::deque<tandem::vulkan_backend::ContractionPlan> plans;
  const absl::Status status = tandem::vulkan_backend::RegisterAll(**device, &works, &plans);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
