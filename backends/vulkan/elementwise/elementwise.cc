#include "tandem/backends/vulkan/elementwise/elementwise.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/elementwise/elementwise_plan.h"
#include "tandem/backends/vulkan/elementwise/glsl_printer.h"
#include "tandem/backends/vulkan/programs/program_cache.h"
#include "tandem/backends/vulkan/programs/shader_compiler.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/elementwise_expr.h"

namespace tandem::vulkan_backend {
namespace {

class ElementwiseKernel final : public PreparedKernel {
 public:
  // `parameters` is null if they are push constants. `program` is null if there is nothing to do.
  ElementwiseKernel(Ref<const VulkanProgram> program, ElementwisePlan plan, Ref<Buffer> parameters)
      : program_(std::move(program)), plan_(std::move(plan)), parameters_(std::move(parameters)) {}

  std::string description() const override {
    return absl::StrCat("elementwise, width ", plan_.variant.width, ", ", plan_.variant.rank,
                        " strided dimensions");
  }

  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    if (program_ == nullptr) return absl::OkStatus();
    absl::InlinedVector<BufferView, 8> bindings;
    for (size_t i = 0; i < inputs.size(); ++i) {
      BufferView view = inputs[i];
      view.offset += plan_.inputs[i].offset;
      view.size = plan_.inputs[i].size;
      bindings.push_back(view);
    }
    bindings.insert(bindings.end(), outputs.begin(), outputs.end());
    Dispatch dispatch;
    dispatch.program = program_.get();
    dispatch.reads = (uint64_t{1} << inputs.size()) - 1;
    dispatch.writes = ((uint64_t{1} << outputs.size()) - 1) << inputs.size();
    if (parameters_ != nullptr) {
      dispatch.reads |= uint64_t{1} << bindings.size();
      bindings.push_back(BufferView::Of(*parameters_));
    } else {
      dispatch.constants = {reinterpret_cast<const std::byte*>(plan_.parameters.data()),
                            plan_.parameters.size() * sizeof(uint32_t)};
    }
    dispatch.bindings = bindings;
    dispatch.grid = LinearGrid(plan_.groups);
    return recorder.Record(dispatch);
  }

 private:
  Ref<const VulkanProgram> program_;
  ElementwisePlan plan_;
  Ref<Buffer> parameters_;
};

absl::StatusOr<Ref<const PreparedKernel>> MakeKernel(const Shader* shader, ElementwisePlan plan,
                                                     VulkanDevice& device) {
  TANDEM_ASSIGN_OR_RETURN(Ref<const VulkanProgram> program,
                          device.programs().Get(*shader, {kElementwiseGroup}));
  Ref<Buffer> parameters;
  if (plan.variant.parameter_buffer) {
    const int64_t bytes = static_cast<int64_t>(plan.parameters.size() * sizeof(uint32_t));
    TANDEM_ASSIGN_OR_RETURN(parameters, device.allocator().Allocate(bytes, MemoryKind::kUpload));
    TANDEM_ASSIGN_OR_RETURN(std::byte * data, parameters->Map());
    std::memcpy(data, plan.parameters.data(), bytes);
    TANDEM_RETURN_IF_ERROR(parameters->Unmap());
  }
  return Ref<const PreparedKernel>(
      MakeRef<const ElementwiseKernel>(std::move(program), std::move(plan), std::move(parameters)));
}

Ref<const PreparedKernel> NothingToDo(ElementwisePlan plan) {
  return MakeRef<const ElementwiseKernel>(nullptr, std::move(plan), nullptr);
}

absl::StatusOr<const Shader*> CompileExpression(const ScalarExpr& expr, absl::string_view name,
                                                const ElementwiseVariant& variant,
                                                VulkanDevice& device) {
  if (!CanCompute(expr, device.capabilities())) {
    return absl::UnimplementedError(
        absl::StrCat(name, ": ", device.info().name, " lacks ",
                     device.capabilities().float64 ? "64-bit integers" : "64-bit floating point",
                     ", which this computes with; cast to 32 bits, or use another device"));
  }
  TANDEM_ASSIGN_OR_RETURN(GlslSource source, PrintElementwise(expr, variant));
  source.name = std::string(name);
  return device.compiler().Compile(source);
}

// Four elements an invocation, but one for expressions so long that four would not fit registers.
int WidthFor(const ScalarExpr& expr) {
  constexpr size_t kLong = 96;  // instructions
  if (expr.instructions.size() <= kLong) return 4;
  for (const ScalarExpr::Output& output : expr.outputs) {
    if (DTypeSize(output.dtype) < 4) return 4;
  }
  return 1;
}

absl::StatusOr<ScalarExpr> ExprOf(const KernelRequest& request) {
  absl::InlinedVector<DType, 8> dtypes;
  for (const TensorLayout& input : request.inputs) dtypes.push_back(input.spec.dtype);
  return BuildScalarExpr(request.op, request.attrs, dtypes, request.outputs[0].spec.dtype);
}

// --- shaders of ops, kept per thread -------------------------------------------------------------

constexpr int kMaxCachedInputs = 4;

// What a shader of a registered op depends on besides its attributes.
struct ShaderKey {
  const OpDef* op = nullptr;
  DType output = DType::kF32;
  uint8_t num_inputs = 0;
  uint8_t rank = 0;
  uint8_t flags = 0;
  std::array<DType, kMaxCachedInputs> inputs = {};
  std::array<InputAccess, kMaxCachedInputs> accesses = {};

  friend bool operator==(const ShaderKey&, const ShaderKey&) = default;
};

struct CachedShader {
  ShaderKey key;
  std::string op_name;
  AttributeMap attrs;
  const Shader* shader = nullptr;  // lives as long as the process
};

CachedShader& CacheEntry(const ShaderKey& key) {
  // Direct-mapped: an eager loop uses a few dozen shaders; a miss prints one and looks its text up.
  constexpr size_t kEntries = 512;
  thread_local std::array<CachedShader, kEntries> cache;
  size_t hash = reinterpret_cast<uintptr_t>(key.op) / 64;
  const auto mix = [&hash](auto value) { hash = hash * 31 + static_cast<size_t>(value); };
  mix(key.output);
  mix(key.rank);
  mix(key.flags);
  for (DType dtype : key.inputs) mix(dtype);
  for (InputAccess access : key.accesses) mix(access);
  return cache[(hash ^ hash >> 9) % kEntries];
}

absl::StatusOr<const Shader*> ShaderOf(const KernelRequest& request,
                                       const ElementwiseVariant& variant, VulkanDevice& device) {
  const auto compile = [&]() -> absl::StatusOr<const Shader*> {
    TANDEM_ASSIGN_OR_RETURN(const ScalarExpr expr, ExprOf(request));
    return CompileExpression(expr, request.op.name, variant, device);
  };
  const Capabilities& capabilities = device.capabilities();
  const size_t num_inputs = request.inputs.size();
  // An unregistered op may be gone tomorrow and another lie at its address. And a device that cannot
  // compute everything must be asked.
  if (request.op.id < 0 || num_inputs > kMaxCachedInputs || !capabilities.float64 ||
      !capabilities.int64) {
    return compile();
  }
  ShaderKey key;
  key.op = &request.op;
  key.output = request.outputs[0].spec.dtype;
  key.num_inputs = static_cast<uint8_t>(num_inputs);
  key.rank = static_cast<uint8_t>(variant.rank);
  key.flags = static_cast<uint8_t>(
      variant.width | (variant.whole_vectors ? 8 : 0) | (variant.parameter_buffer ? 16 : 0) |
      (variant.keeps_nan ? 32 : 0) | (variant.keeps_denormals ? 64 : 0));
  for (size_t i = 0; i < num_inputs; ++i) {
    key.inputs[i] = request.inputs[i].spec.dtype;
    key.accesses[i] = variant.inputs[i];
  }
  CachedShader& entry = CacheEntry(key);
  if (entry.shader != nullptr && entry.key == key && entry.attrs == request.attrs &&
      entry.op_name == request.op.name) {
    return entry.shader;
  }
  TANDEM_ASSIGN_OR_RETURN(const Shader* shader, compile());
  entry = {key, request.op.name, request.attrs, shader};
  return shader;
}

bool Supports(const KernelRequest& request) {
  if (!IsElementwise(request.op, request.attrs) || request.outputs.size() != 1) return false;
  const Capabilities& capabilities = static_cast<VulkanDevice&>(request.device).capabilities();
  const OpBody* body = BodyOf(request.op, request.attrs);
  if (body == nullptr) {
    if (request.inputs.size() != request.op.inputs.size()) return false;
    if (capabilities.float64 && capabilities.int64) return true;
  } else if (request.inputs.size() != static_cast<size_t>(body->num_inputs()) ||
             request.inputs.size() + 2 > capabilities.max_storage_buffers) {
    // The output is bound, too, and perhaps a buffer of parameters.
    return false;
  }
  // A body of any length may come from a file: it has one program if that can be made.
  const absl::StatusOr<ScalarExpr> expr = ExprOf(request);
  return expr.ok() && CanCompute(*expr, capabilities);
}

absl::Status CheckLayouts(const ScalarExpr& expr, absl::Span<const TensorLayout> inputs,
                          absl::Span<const TensorLayout> outputs) {
  if (inputs.size() != expr.inputs.size() || outputs.size() != expr.outputs.size() ||
      outputs.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expression with ", expr.inputs.size(), " inputs and ", expr.outputs.size(),
                     " outputs: ", inputs.size(), " and ", outputs.size(), " layouts given"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].spec.dtype != expr.inputs[i]) {
      return absl::InvalidArgumentError(absl::StrCat("expression: input ", i, " is ",
                                                     DTypeName(expr.inputs[i]), ", ",
                                                     inputs[i].spec.ToString(), " given"));
    }
  }
  const Shape& shape = outputs[0].spec.shape;
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o].spec != TensorSpec{expr.outputs[o].dtype, shape}) {
      return absl::InvalidArgumentError(
          absl::StrCat("expression: output ", o, " is ", DTypeName(expr.outputs[o].dtype),
                       shape.ToString(), ", ", outputs[o].spec.ToString(), " given"));
    }
  }
  // The masks of a dispatch have 64 bits, one of them for a buffer of parameters.
  if (inputs.size() + outputs.size() > 63) {
    return absl::ResourceExhaustedError(absl::StrCat("expression with ", inputs.size(),
                                                     " inputs and ", outputs.size(),
                                                     " outputs: a kernel binds 63; split it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Ref<const PreparedKernel>> PrepareElementwise(const KernelRequest& request) {
  auto& device = static_cast<VulkanDevice&>(request.device);
  if (BodyOf(request.op, request.attrs) != nullptr) {
    // Made once for a compiled function, and too long to be compared at every call.
    TANDEM_ASSIGN_OR_RETURN(const ScalarExpr expr, ExprOf(request));
    return PrepareExpression(expr, request.inputs, request.outputs, device);
  }
  TANDEM_ASSIGN_OR_RETURN(
      ElementwisePlan plan,
      PlanElementwise(request.op.name, request.inputs, request.outputs, device.capabilities()));
  if (plan.groups == 0) return NothingToDo(std::move(plan));
  TANDEM_ASSIGN_OR_RETURN(const Shader* shader, ShaderOf(request, plan.variant, device));
  return MakeKernel(shader, std::move(plan), device);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareExpression(const ScalarExpr& expr,
                                                            absl::Span<const TensorLayout> inputs,
                                                            absl::Span<const TensorLayout> outputs,
                                                            VulkanDevice& device, int width) {
  TANDEM_RETURN_IF_ERROR(expr.Verify());
  TANDEM_RETURN_IF_ERROR(CheckLayouts(expr, inputs, outputs));
  TANDEM_ASSIGN_OR_RETURN(ElementwisePlan plan,
                          PlanElementwise("expression", inputs, outputs, device.capabilities(),
                                          width != 0 ? width : WidthFor(expr)));
  if (plan.groups == 0) return NothingToDo(std::move(plan));
  TANDEM_ASSIGN_OR_RETURN(const Shader* shader,
                          CompileExpression(expr, "expression", plan.variant, device));
  return MakeKernel(shader, std::move(plan), device);
}

absl::Status RegisterElementwiseKernels(KernelRegistry* kernels) {
  KernelDef def = VulkanKernelDef("*", "elementwise", {}, PrepareElementwise);
  def.strided_inputs = true;
  def.supports = Supports;
  return kernels->Register(std::move(def));
}

}  // namespace tandem::vulkan_backend
