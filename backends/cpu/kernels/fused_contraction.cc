#include "tandem/backends/cpu/kernels/fused_contraction.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/elementwise.h"
#include "tandem/backends/cpu/elementwise_program.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/convolution_plan.h"
#include "tandem/backends/cpu/kernels/matmul_plan.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/elementwise_expr.h"
#include "tandem/core/op/op_body.h"

namespace tandem::cpu_backend {
namespace {

// One dispatch binds 64 buffers: inputs, the output, the workspace.
constexpr int kMaxInputs = 62;

// A buffer of the dispatch, or a part of the workspace.
struct Place {
  int buffer = 0;
  int64_t offset = 0;  // bytes
  std::byte* Find(std::byte* const* buffers) const { return buffers[buffer] + offset; }
};

// An operand of the product that is computed in another dtype than it is stored in.
struct Conversion {
  DType dtype = DType::kF32;
  int64_t elements = 0;
  int from = 0;
  Place to;
};

// What differs between the ops that a body may begin with.
template <typename T>
struct Matmul {
  using Element = T;
  using Plan = MatmulPlan<T>;
  static constexpr char kName[] = "fused_matmul";
  static int64_t WorkspaceBytes(const Plan&) { return 0; }
  static void Run(const Plan& plan, const T* a, const T* b, T* c, std::byte*, CpuThreadPool& pool,
                  const ResultEpilogue& epilogue) {
    plan.Multiply(a, b, c, pool, &epilogue);
  }
};

template <typename T>
struct Convolution {
  using Element = T;
  using Plan = ConvolutionPlan<T>;
  static constexpr char kName[] = "fused_conv2d";
  static int64_t WorkspaceBytes(const Plan& plan) { return plan.workspace_bytes; }
  static void Run(const Plan& plan, const T* x, const T* weight, T* y, std::byte* workspace,
                  CpuThreadPool& pool, const ResultEpilogue& epilogue) {
    plan.Run(x, weight, y, workspace, pool, &epilogue);
  }
};

// Contraction: Matmul or Convolution.
template <typename Contraction>
class FusedProgram final : public CpuProgram {
 public:
  FusedProgram() : CpuProgram(Contraction::kName, &Execute) {}

  typename Contraction::Plan plan;
  Place a, b, c, workspace;
  std::vector<Conversion> conversions;
  BoundExpression epilogue;
  std::vector<int> epilogue_inputs;  // buffers of its inputs after the first, which is c
  int output = 0;

 private:
  static void Execute(const CpuCall& call) {
    using T = typename Contraction::Element;
    const auto& p = static_cast<const FusedProgram&>(*call.program);
    for (const Conversion& conversion : p.conversions) {
      ConvertToCompute(conversion.dtype, call.buffers[conversion.from],
                       conversion.to.Find(call.buffers), conversion.elements, *call.pool);
    }
    std::byte* buffers[kMaxInputs + 2];
    std::byte** next = buffers;
    *next++ = p.c.Find(call.buffers);
    for (const int input : p.epilogue_inputs) *next++ = call.buffers[input];
    *next = call.buffers[p.output];
    const Context context = {&p, buffers};
    Contraction::Run(p.plan, At<const T>(p.a.Find(call.buffers)),
                     At<const T>(p.b.Find(call.buffers)), At<T>(buffers[0]),
                     p.workspace.Find(call.buffers), *call.pool, {&RunEpilogue, &context});
  }

  struct Context {
    const FusedProgram* program;
    std::byte* const* buffers;
  };
  static void RunEpilogue(const void* context, int64_t first, int64_t rows, int64_t cols,
                          int64_t row_stride) {
    const auto& c = *static_cast<const Context*>(context);
    const BoundExpression& epilogue = c.program->epilogue;
    ElementwiseRange range(*epilogue.program, epilogue.constants.data(), c.buffers);
    if (cols == row_stride) {
      range.Run(first, first + rows * cols);
      return;
    }
    for (int64_t i = 0; i < rows; ++i, first += row_stride) range.Run(first, first + cols);
  }
};

class FusedKernel final : public PreparedKernel {
 public:
  FusedKernel(Ref<const CpuProgram> program, int64_t workspace_bytes, std::string description)
      : program_(std::move(program)),
        workspace_bytes_(workspace_bytes),
        description_(std::move(description)) {}

  int64_t workspace_bytes() const override { return workspace_bytes_; }
  std::string description() const override { return description_; }
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    return RecordCpuDispatch(*program_, {}, recorder, inputs, outputs,
                             workspace_bytes_ > 0 ? workspace : BufferView());
  }

 private:
  Ref<const CpuProgram> program_;
  int64_t workspace_bytes_;
  std::string description_;
};

// The body for the request's inputs; null if it is none that begins with `head` and goes on as this
// file is about.
absl::StatusOr<Ref<const OpBody>> BodyWith(absl::string_view head, const KernelRequest& request) {
  const OpBody* declared = BodyOf(request.op, request.attrs);
  if (declared == nullptr || declared->steps().size() < 2 ||
      declared->steps()[0].op->name != head || request.outputs.size() != 1 ||
      request.inputs.size() > kMaxInputs) {
    return Ref<const OpBody>();
  }
  std::vector<TensorSpec> specs;
  for (const TensorLayout& input : request.inputs) specs.push_back(input.spec);
  TANDEM_ASSIGN_OR_RETURN(Ref<const OpBody> body, declared->WithInputs(specs));
  const OpBody::Step& product = body->steps()[0];
  const TensorSpec& spec = body->spec(product.first_output);
  bool fits = body->spec(product.inputs[0]).dtype == spec.dtype &&
              body->spec(product.inputs[1]).dtype == spec.dtype && spec.dtype != DType::kBool;
  // The rest is one program of elements of the product's shape, and nothing is left over.
  std::vector<bool> used(body->num_values(), false);
  for (size_t i = 0; i < body->steps().size(); ++i) {
    const OpBody::Step& step = body->steps()[i];
    fits = fits && step.num_outputs == 1 && (i == 0 || IsElementwise(*step.op, step.attrs));
    for (const int32_t input : step.inputs) used[input] = true;
  }
  const int32_t last = body->num_values() - 1;
  fits = fits && body->outputs().size() == 1 && body->outputs()[0] == last && !used[last] &&
         body->spec(last).shape == spec.shape;
  for (int32_t value = 0; fits && value < last; ++value) fits = used[value];
  return fits ? body : Ref<const OpBody>();
}

// The epilogue as a program whose input 0 is the product as it was computed; input i is the body's
// input `inputs[i - 1]`.
absl::StatusOr<ScalarExpr> EpilogueExpr(const OpBody& body, std::vector<int>* inputs) {
  const DType stored = body.spec(body.steps()[0].first_output).dtype;
  ScalarBuilder builder;
  std::vector<ScalarValue> values(body.num_inputs() + 1);
  // As a store of the product and a load of it would do.
  values[body.num_inputs()] = builder.RoundTo(builder.Input(0, ComputeDType(stored)), stored);
  for (size_t i = 1; i < body.steps().size(); ++i) {
    for (const int32_t input : body.steps()[i].inputs) {
      if (input >= body.num_inputs() || values[input].id >= 0) continue;
      inputs->push_back(input);
      values[input] = builder.Input(static_cast<int>(inputs->size()), body.spec(input).dtype);
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const ScalarValue result,
                          AppendSteps(builder, body, 1, std::move(values)));
  builder.Output(result, body.spec(body.outputs()[0]).dtype);
  return builder.Finish();
}

template <typename Contraction>
absl::StatusOr<Ref<const PreparedKernel>> PrepareAs(const KernelRequest& request,
                                                    const OpBody& body) {
  const OpBody::Step& product = body.steps()[0];
  const TensorSpec& product_spec = body.spec(product.first_output);
  const DType computed = ComputeDType(product_spec.dtype);
  const Isa isa = IsaOf(request.device);
  const int num_inputs = static_cast<int>(request.inputs.size());
  const int output = num_inputs, workspace = num_inputs + 1;
  int64_t workspace_bytes = 0;
  const auto reserve = [&](int64_t count, int64_t size) -> absl::StatusOr<Place> {
    const Place place = {workspace, workspace_bytes};
    TANDEM_ASSIGN_OR_RETURN(const int64_t bytes, CheckedMul(count, size));
    TANDEM_ASSIGN_OR_RETURN(workspace_bytes, CheckedAdd(workspace_bytes, bytes));
    TANDEM_ASSIGN_OR_RETURN(workspace_bytes, CheckedAlignUp(workspace_bytes, 64));
    return place;
  };

  auto program = MakeRef<FusedProgram<Contraction>>();
  TANDEM_ASSIGN_OR_RETURN(
      program->plan,
      Contraction::Plan::Create(request.inputs[product.inputs[0]],
                                request.inputs[product.inputs[1]], product.attrs, isa));
  if (const int64_t bytes = Contraction::WorkspaceBytes(program->plan); bytes > 0) {
    TANDEM_ASSIGN_OR_RETURN(program->workspace, reserve(bytes, 1));
  }
  for (const int operand : {0, 1}) {
    const int input = product.inputs[operand];
    Place& place = operand == 0 ? program->a : program->b;
    place = {input, 0};
    if (computed == product_spec.dtype) continue;
    if (operand == 1 && input == product.inputs[0]) {
      place = program->a;
      continue;
    }
    const int64_t elements = request.inputs[input].spec.shape.num_elements();
    TANDEM_ASSIGN_OR_RETURN(place, reserve(elements, DTypeSize(computed)));
    program->conversions.push_back({product_spec.dtype, elements, input, place});
  }
  const TensorSpec result = {computed, product_spec.shape};
  program->output = output;
  program->c = {output, 0};
  if (request.outputs[0].spec.dtype != computed) {
    TANDEM_ASSIGN_OR_RETURN(program->c, reserve(result.shape.num_elements(), DTypeSize(computed)));
  }

  TANDEM_ASSIGN_OR_RETURN(const ScalarExpr expr, EpilogueExpr(body, &program->epilogue_inputs));
  std::vector<TensorLayout> layouts = {TensorLayout::Contiguous(result)};
  for (const int input : program->epilogue_inputs) layouts.push_back(request.inputs[input]);
  TANDEM_ASSIGN_OR_RETURN(program->epilogue, BindExpression(expr, layouts, request.outputs, isa));
  std::string description =
      absl::StrCat(program->plan.Describe(), computed == product_spec.dtype ? "" : ", converted",
                   ", then ", program->epilogue.program->Describe());
  return MakeRef<const FusedKernel>(std::move(program), workspace_bytes, std::move(description));
}

// `head`: the op that the body begins with.
absl::StatusOr<Ref<const PreparedKernel>> PrepareBody(absl::string_view head,
                                                      const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const Ref<const OpBody> body, BodyWith(head, request));
  if (body == nullptr) {
    return absl::InternalError(
        absl::StrCat("fused: the body is not a ", head, " and its epilogue"));
  }
  const DType computed = ComputeDType(body->spec(body->steps()[0].first_output).dtype);
  if (head == "conv2d") {
    return computed == DType::kF64 ? PrepareAs<Convolution<double>>(request, *body)
                                   : PrepareAs<Convolution<float>>(request, *body);
  }
  switch (computed) {
    case DType::kF64:
      return PrepareAs<Matmul<double>>(request, *body);
    // Signed overflow wraps, as unsigned arithmetic does.
    case DType::kI32:
      return PrepareAs<Matmul<uint32_t>>(request, *body);
    case DType::kI64:
      return PrepareAs<Matmul<uint64_t>>(request, *body);
    default:
      return PrepareAs<Matmul<float>>(request, *body);
  }
}

// A kernel for bodies that begin with `head`: of operands that are computed in the dtype that they
// are stored in, or of others, which are converted, and have to be contiguous.
absl::Status RegisterKernel(KernelRegistry* registry, const char* head, const char* name,
                            std::vector<std::string> stands_for, bool converted, bool strided) {
  KernelDef def;
  def.name = name;
  def.op = "fused";
  def.device = CpuDeviceType();
  def.strided_inputs = strided;
  def.prepare = [head](const KernelRequest& request) { return PrepareBody(head, request); };
  def.supports = [head, converted](const KernelRequest& request) {
    // The output is bound, too, and perhaps a workspace.
    if (request.inputs.size() + 2 > kMaxBindings) return false;
    const absl::StatusOr<Ref<const OpBody>> body = BodyWith(head, request);
    if (!body.ok() || *body == nullptr) return false;
    const DType dtype = (*body)->spec((*body)->steps()[0].first_output).dtype;
    // A body of any length may come from a file: it has one program if that can be made.
    return (ComputeDType(dtype) != dtype) == converted && PrepareBody(head, request).ok();
  };
  def.stands_for = std::move(stands_for);
  return registry->Register(std::move(def));
}

}  // namespace

absl::Status RegisterFusedContractionKernels(KernelRegistry* registry) {
  const std::string elementwise = "*:elementwise";
  TANDEM_RETURN_IF_ERROR(RegisterKernel(registry, "matmul", "fused_matmul",
                                        {"matmul:matmul", elementwise}, false, true));
  TANDEM_RETURN_IF_ERROR(RegisterKernel(registry, "matmul", "fused_matmul_converted",
                                        {"matmul:matmul_converted", elementwise}, true, false));
  TANDEM_RETURN_IF_ERROR(RegisterKernel(registry, "conv2d", "fused_conv2d",
                                        {"conv2d:conv2d", elementwise}, false, false));
  return RegisterKernel(registry, "conv2d", "fused_conv2d_converted",
                        {"conv2d:conv2d", elementwise}, true, false);
}

}  // namespace tandem::cpu_backend
