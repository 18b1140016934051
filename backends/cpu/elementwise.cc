#include "tandem/backends/cpu/elementwise.h"

#include <array>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/elementwise_program.h"
#include "tandem/backends/cpu/strided.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/elementwise_expr.h"
#include "tandem/core/op/op_body.h"

namespace tandem::cpu_backend {
namespace {

// Outputs of this many bytes are written past the caches: whoever reads them next would not find
// them there anyhow, and a plain store reads each line first.
constexpr int64_t kStreamBytes = int64_t{32} << 20;

// Constants of up to this many words lie inside of the kernel: two inputs, one of them strided.
constexpr int kInlineWords = 28;
using Words = absl::InlinedVector<uint64_t, kInlineWords>;

class ElementwiseKernel final : public PreparedKernel {
 public:
  ElementwiseKernel(Ref<const ElementwiseProgram> program, Words constants)
      : program_(std::move(program)), constants_(std::move(constants)) {}

  std::string description() const override { return program_->Describe(); }
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    return RecordCpuDispatch(*program_,
                             {reinterpret_cast<const std::byte*>(constants_.data()),
                              constants_.size() * sizeof(uint64_t)},
                             recorder, inputs, outputs, BufferView());
  }

 private:
  Ref<const ElementwiseProgram> program_;
  Words constants_;
};

template <typename T>
void AppendTo(Words& words, const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(uint64_t) == 0);
  const size_t at = words.size();
  words.resize(at + sizeof(T) / sizeof(uint64_t));
  std::memcpy(words.data() + at, &value, sizeof(T));
}

using Geometries = absl::InlinedVector<StridedGeometry, 3>;

Geometries GeometriesOf(absl::Span<const TensorLayout> inputs, const Shape& shape) {
  Geometries geometries;
  for (const TensorLayout& input : inputs) {
    geometries.push_back(StridedGeometry::Of(input, shape));
  }
  return geometries;
}

uint64_t UniformMask(const Geometries& geometries) {
  uint64_t mask = 0;
  for (size_t i = 0; i < geometries.size() && i < 64; ++i) {
    if (geometries[i].is_uniform()) mask |= uint64_t{1} << i;
  }
  return mask;
}

// The constants of a dispatch.
Words ConstantsOf(const ElementwiseProgram& program, absl::Span<const TensorLayout> inputs,
                  const Geometries& geometries, const Shape& shape, bool may_stream) {
  ElementwiseExtent extent;
  extent.n = shape.num_elements();
  extent.streams = may_stream && extent.n > 0 && extent.n >= kStreamBytes / program.output_bytes();
  int64_t num_strided = 0, gathered_bytes = 0;
  Words words(sizeof(ElementwiseExtent) / sizeof(uint64_t));
  for (size_t i = 0; i < geometries.size(); ++i) {
    ElementwiseInput input;
    input.offset = inputs[i].offset * program.input_bytes(static_cast<int>(i));
    // Beyond the 64 bits of the mask also inputs of one element are gathered.
    if (!geometries[i].is_contiguous() && (i >= 64 || !geometries[i].is_uniform())) {
      input.geometry = num_strided++;
      gathered_bytes += program.input_bytes(static_cast<int>(i));
    }
    AppendTo(words, input);
  }
  for (size_t i = 0; i < geometries.size() && num_strided > 0; ++i) {
    if (!geometries[i].is_contiguous() && (i >= 64 || !geometries[i].is_uniform())) {
      AppendTo(words, geometries[i]);
    }
  }
  extent.tile = program.TileFor(gathered_bytes, extent.streams != 0);
  std::memcpy(words.data(), &extent, sizeof(extent));
  return words;
}

Ref<const PreparedKernel> MakeKernel(Ref<const ElementwiseProgram> program,
                                     absl::Span<const TensorLayout> inputs,
                                     const Geometries& geometries, const Shape& shape) {
  Words words = ConstantsOf(*program, inputs, geometries, shape, /*may_stream=*/true);
  return MakeRef<const ElementwiseKernel>(std::move(program), std::move(words));
}

absl::Status CheckBroadcast(absl::string_view name, const Shape& input, const Shape& output) {
  const int added = output.rank() - input.rank();
  bool fits = added >= 0;
  for (int d = 0; fits && d < input.rank(); ++d) {
    fits = input[d] == output[d + added] || input[d] == 1;
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, ": an input of shape ", input.ToString(),
                                                 " does not broadcast to the output's ",
                                                 output.ToString()));
}

// --- programs of ops, kept per thread ------------------------------------------------------------

constexpr int kMaxCachedInputs = 4;

// What a program of a registered op depends on besides its attributes.
struct ProgramKey {
  const OpDef* op = nullptr;
  uint64_t uniform = 0;
  Isa isa = Isa::kBaseline;
  DType output = DType::kF32;
  uint8_t num_inputs = 0;
  std::array<DType, kMaxCachedInputs> inputs = {};

  friend bool operator==(const ProgramKey&, const ProgramKey&) = default;
};

struct CachedProgram {
  ProgramKey key;
  std::string op_name;
  AttributeMap attrs;
  Ref<const ElementwiseProgram> program;
};

CachedProgram& CacheEntry(const ProgramKey& key) {
  // Direct-mapped: an eager loop uses a few dozen programs, and compiling one takes microseconds.
  constexpr size_t kEntries = 256;
  thread_local std::array<CachedProgram, kEntries> cache;
  size_t hash = reinterpret_cast<uintptr_t>(key.op) / 64 + key.uniform * 31;
  hash = hash * 31 + static_cast<size_t>(key.output);
  for (DType dtype : key.inputs) hash = hash * 31 + static_cast<size_t>(dtype);
  return cache[(hash ^ hash >> 8) % kEntries];
}

absl::StatusOr<Ref<const ElementwiseProgram>> CompileOp(const KernelRequest& request,
                                                        uint64_t uniform, Isa isa) {
  absl::InlinedVector<DType, 8> dtypes;
  for (const TensorLayout& input : request.inputs) dtypes.push_back(input.spec.dtype);
  TANDEM_ASSIGN_OR_RETURN(const ScalarExpr expr, BuildScalarExpr(request.op, request.attrs, dtypes,
                                                                 request.outputs[0].spec.dtype));
  return ElementwiseProgram::Compile(expr, uniform, isa);
}

absl::StatusOr<Ref<const ElementwiseProgram>> ProgramOf(const KernelRequest& request,
                                                        uint64_t uniform, Isa isa) {
  const size_t num_inputs = request.inputs.size();
  // An unregistered op may be gone tomorrow and another lie at its address.
  if (request.op.id < 0 || num_inputs > kMaxCachedInputs) return CompileOp(request, uniform, isa);
  ProgramKey key{&request.op, uniform, isa, request.outputs[0].spec.dtype,
                 static_cast<uint8_t>(num_inputs)};
  for (size_t i = 0; i < num_inputs; ++i) key.inputs[i] = request.inputs[i].spec.dtype;
  CachedProgram& entry = CacheEntry(key);
  if (entry.program != nullptr && entry.key == key && entry.attrs == request.attrs &&
      entry.op_name == request.op.name) {
    return entry.program;
  }
  TANDEM_ASSIGN_OR_RETURN(Ref<const ElementwiseProgram> program, CompileOp(request, uniform, isa));
  entry = {key, request.op.name, request.attrs, program};
  return program;
}

bool Supports(const KernelRequest& request) {
  if (request.outputs.size() != 1 || !IsElementwise(request.op, request.attrs)) return false;
  const OpBody* body = BodyOf(request.op, request.attrs);
  if (body == nullptr) return request.inputs.size() == request.op.inputs.size();
  // A body of any length and width may come from a file: it has one program if that can be made and
  // one dispatch binds its inputs and its output.
  return request.inputs.size() == static_cast<size_t>(body->num_inputs()) &&
         request.inputs.size() + 1 <= kMaxBindings &&
         ProgramOf(request,
                   UniformMask(GeometriesOf(request.inputs, request.outputs[0].spec.shape)),
                   IsaOf(request.device))
             .ok();
}

absl::Status CheckLayouts(const ScalarExpr& expr, absl::Span<const TensorLayout> inputs,
                          absl::Span<const TensorLayout> outputs) {
  if (inputs.size() != expr.inputs.size() || outputs.size() != expr.outputs.size() ||
      outputs.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expression with ", expr.inputs.size(), " inputs and ", expr.outputs.size(),
                     " outputs: ", inputs.size(), " and ", outputs.size(), " layouts given"));
  }
  const Shape& shape = outputs[0].spec.shape;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(CheckBroadcast("expression", inputs[i].spec.shape, shape));
    if (inputs[i].spec.dtype != expr.inputs[i]) {
      return absl::InvalidArgumentError(absl::StrCat("expression: input ", i, " is ",
                                                     DTypeName(expr.inputs[i]), ", ",
                                                     inputs[i].spec.ToString(), " given"));
    }
  }
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o].spec != TensorSpec{expr.outputs[o].dtype, shape}) {
      return absl::InvalidArgumentError(
          absl::StrCat("expression: output ", o, " is ", DTypeName(expr.outputs[o].dtype),
                       shape.ToString(), ", ", outputs[o].spec.ToString(), " given"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Ref<const PreparedKernel>> PrepareElementwise(const KernelRequest& request) {
  const Shape& shape = request.outputs[0].spec.shape;
  for (const TensorLayout& input : request.inputs) {
    if (input.spec.shape == shape) continue;
    TANDEM_RETURN_IF_ERROR(CheckBroadcast(request.op.name, input.spec.shape, shape));
  }
  const Geometries geometries = GeometriesOf(request.inputs, shape);
  TANDEM_ASSIGN_OR_RETURN(Ref<const ElementwiseProgram> program,
                          ProgramOf(request, UniformMask(geometries), IsaOf(request.device)));
  return MakeKernel(std::move(program), request.inputs, geometries, shape);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareExpression(const ScalarExpr& expr,
                                                            absl::Span<const TensorLayout> inputs,
                                                            absl::Span<const TensorLayout> outputs,
                                                            Isa isa) {
  TANDEM_RETURN_IF_ERROR(CheckLayouts(expr, inputs, outputs));
  const Shape& shape = outputs[0].spec.shape;
  const Geometries geometries = GeometriesOf(inputs, shape);
  TANDEM_ASSIGN_OR_RETURN(Ref<const ElementwiseProgram> program,
                          ElementwiseProgram::Compile(expr, UniformMask(geometries), isa));
  return MakeKernel(std::move(program), inputs, geometries, shape);
}

absl::StatusOr<BoundExpression> BindExpression(const ScalarExpr& expr,
                                               absl::Span<const TensorLayout> inputs,
                                               absl::Span<const TensorLayout> outputs, Isa isa) {
  TANDEM_RETURN_IF_ERROR(CheckLayouts(expr, inputs, outputs));
  const Shape& shape = outputs[0].spec.shape;
  const Geometries geometries = GeometriesOf(inputs, shape);
  BoundExpression bound;
  TANDEM_ASSIGN_OR_RETURN(bound.program,
                          ElementwiseProgram::Compile(expr, UniformMask(geometries), isa));
  const Words words = ConstantsOf(*bound.program, inputs, geometries, shape, /*may_stream=*/false);
  bound.constants.assign(words.begin(), words.end());
  return bound;
}

absl::Status RegisterElementwiseKernels(KernelRegistry* kernels) {
  KernelDef def = CpuKernelDef("*", "elementwise", {}, PrepareElementwise);
  def.strided_inputs = true;
  def.supports = Supports;
  return kernels->Register(std::move(def));
}

}  // namespace tandem::cpu_backend
