#include "tandem/backends/vulkan/kernels/contraction/convolution.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_columns_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_columns_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_columns_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_dot_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_dot_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_dot_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_dot_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_dot_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_dot_subgroup_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_tile_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_tile_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_tile_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_columns_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_columns_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_columns_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_dot_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_dot_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_dot_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_dot_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_dot_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_dot_subgroup_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_tile_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_tile_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/conv2d_weight_tile_shaders.h"
#include "tandem/backends/vulkan/kernels/floating_point.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/window.h"

namespace tandem::vulkan_backend {
namespace {

using Method = ContractionPlan::Method;

// Indices in the shaders are below this.
constexpr int64_t kMostElements = int64_t{1} << 31;

// The push constants of conv2d.comp.
struct Constants {
  uint32_t rows, channels, images, groups;
  std::array<uint32_t, 4> divisors, multipliers;
  uint32_t shifts;
  int32_t height, width;
  int32_t origin_y, origin_x;
  int32_t stride_y, stride_x;
  int32_t dilation_y, dilation_x;
  uint32_t weight_plane;
  uint32_t weight_offset, weight_y, weight_x;
  uint32_t out_plane;
  uint32_t out_offset, out_y, out_x;
  uint32_t depth_of_part, out_part;
};
static_assert(sizeof(Constants) == 124);

enum class Direction { kForward, kInput, kWeight };

uint32_t Word(int64_t value) { return static_cast<uint32_t>(value); }
int32_t Int(int64_t value) { return static_cast<int32_t>(value); }

// One sum over windows: a dispatch.
struct Piece {
  Constants constants = {};
  ContractionShape shape;
};

struct Problem {
  Direction direction = Direction::kForward;
  Conv2dGeometry geometry;
  std::vector<Piece> pieces;
  bool fill = false;  // no piece writes some elements of the result: they are zero
  DType compute = DType::kF32;
  DType stored = DType::kF32;  // as operands are bound
};

// The taps that meet one residue of the input's positions modulo the stride, as an axis of a
// convolution of stride 1 over the gradient of the output.
struct Phase {
  int64_t residue = 0;    // the first position
  int64_t positions = 0;  // stride apart
  int64_t first_tap = 0;
  int64_t tap_step = 1;
  int64_t taps = 0;
  int64_t origin = 0;    // window that the first tap meets at the first position
  int64_t dilation = 0;  // from tap to tap, in windows; negative
};

// The phases of one axis that meet any tap.
std::vector<Phase> PhasesOf(const WindowAxis& w) {
  std::vector<Phase> phases;
  // Taps this far apart meet the same residue.
  const int64_t step = w.stride / std::gcd(w.stride, w.dilation);
  for (int64_t tap = 0; tap < std::min(w.kernel, step); ++tap) {
    // Position tap * dilation - pad_before + o * stride.
    int64_t residue = (tap * w.dilation - w.pad_before) % w.stride;
    if (residue < 0) residue += w.stride;
    if (residue >= w.input) continue;
    Phase phase;
    phase.residue = residue;
    phase.positions = DivideRoundUp(w.input - residue, w.stride);
    phase.first_tap = tap;
    phase.tap_step = step;
    phase.taps = (w.kernel - 1 - tap) / step + 1;
    phase.origin = (residue + w.pad_before - tap * w.dilation) / w.stride;
    phase.dilation = -(step * w.dilation / w.stride);
    phases.push_back(phase);
  }
  return phases;
}

void SetDivisors(const std::array<int64_t, 4>& divisors, Constants* c) {
  c->shifts = 0;
  for (int i = 0; i < 4; ++i) {
    const FastDivisor d(divisors[i]);
    c->divisors[i] = d.divisor;
    c->multipliers[i] = d.multiplier;
    c->shifts |= d.shift << (8 * i);
  }
}

// Whether the matrix of windows is the image itself: one tap, stride 1, no padding.
bool WindowsAreElements(const Conv2dGeometry& g) {
  const auto is_identity = [](const WindowAxis& w) {
    return w.kernel == 1 && w.stride == 1 && w.pad_before == 0 && w.pad_after == 0;
  };
  return is_identity(g.height) && is_identity(g.width);
}

// conv2d and the gradient of its weight walk the same windows.
Piece WindowsPiece(const Conv2dGeometry& g, Direction direction) {
  Piece piece;
  Constants& c = piece.constants;
  const int64_t taps = g.height.kernel * g.width.kernel;
  const int64_t windows = g.height.output * g.width.output;
  c.rows = Word(g.group_out_channels());
  c.channels = Word(g.group_in_channels());
  c.images = Word(g.batch);
  c.groups = Word(g.groups);
  SetDivisors({taps, g.width.kernel, windows, g.width.output}, &c);
  c.height = Int(g.height.input);
  c.width = Int(g.width.input);
  c.origin_y = Int(-g.height.pad_before);
  c.origin_x = Int(-g.width.pad_before);
  c.stride_y = Int(g.height.stride);
  c.stride_x = Int(g.width.stride);
  c.dilation_y = Int(g.height.dilation);
  c.dilation_x = Int(g.width.dilation);
  c.weight_plane = Word(taps);
  c.weight_y = Word(g.width.kernel);
  c.weight_x = 1;
  c.out_plane = Word(windows);
  c.out_y = Word(g.width.output);
  c.out_x = 1;
  ContractionShape& s = piece.shape;
  s.products = g.groups;
  s.rows = g.group_out_channels();
  s.columns = g.group_in_channels() * taps;
  s.depth = g.batch * windows;
  s.right_along_k = true;
  if (direction == Direction::kForward) {
    std::swap(s.columns, s.depth);
    s.right_along_k = false;
  }
  // The weight is a matrix of `depth` columns, the gradient of the output one of `windows`.
  s.left_by_four = (direction == Direction::kForward ? s.depth : windows) % 4 == 0;
  s.right_by_four = WindowsAreElements(g) && windows % 4 == 0;
  return piece;
}

Piece PhasePiece(const Conv2dGeometry& g, const Phase& y, const Phase& x) {
  Piece piece;
  Constants& c = piece.constants;
  c.rows = Word(g.group_in_channels());
  c.channels = Word(g.group_out_channels());
  c.images = Word(g.batch);
  c.groups = Word(g.groups);
  SetDivisors({y.taps * x.taps, x.taps, y.positions * x.positions, x.positions}, &c);
  c.height = Int(g.height.output);
  c.width = Int(g.width.output);
  c.origin_y = Int(y.origin);
  c.origin_x = Int(x.origin);
  c.stride_y = c.stride_x = 1;
  c.dilation_y = Int(y.dilation);
  c.dilation_x = Int(x.dilation);
  c.weight_plane = Word(g.height.kernel * g.width.kernel);
  c.weight_offset = Word(y.first_tap * g.width.kernel + x.first_tap);
  c.weight_y = Word(y.tap_step * g.width.kernel);
  c.weight_x = Word(x.tap_step);
  c.out_plane = Word(g.height.input * g.width.input);
  c.out_offset = Word(y.residue * g.width.input + x.residue);
  c.out_y = Word(g.height.stride * g.width.input);
  c.out_x = Word(g.width.stride);
  ContractionShape& s = piece.shape;
  s.products = g.groups;
  s.rows = g.group_in_channels();
  s.columns = g.batch * y.positions * x.positions;
  s.depth = g.group_out_channels() * y.taps * x.taps;
  if (WindowsAreElements(g)) {
    // The weight is a matrix of `depth` rows.
    s.left_along_k = false;
    s.left_by_four = s.rows % 4 == 0;
    s.right_by_four = g.height.output * g.width.output % 4 == 0;
  }
  return piece;
}

absl::Status CheckReach(const KernelRequest& request, const Conv2dGeometry& g) {
  int64_t most = std::max(g.weight_shape().num_elements(), g.output_shape().num_elements());
  most = std::max(most, g.input_shape().num_elements());
  // Reached by steps of the sum for the gradient of the weight, and columns of its matrix.
  for (const WindowAxis* axis : {&g.height, &g.width}) {
    most = std::max(most, axis->input + axis->pad_before + axis->pad_after);
  }
  if (most < kMostElements) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      request.op.name, " of ", g.input_shape().ToString(), " and ", g.weight_shape().ToString(),
      " has a tensor or padded image of ", most,
      " elements, beyond the 32-bit indices of Vulkan's kernel; use a smaller batch or padding"));
}

absl::StatusOr<Problem> ProblemOf(const KernelRequest& request) {
  Problem p;
  const bool input = request.op.name == "conv2d_backward_input";
  const bool weight = request.op.name == "conv2d_backward_weight";
  p.direction = input ? Direction::kInput : weight ? Direction::kWeight : Direction::kForward;
  const Shape& x_shape = (input ? request.outputs[0] : request.inputs[0]).spec.shape;
  const Shape& w_shape = (weight ? request.outputs[0] : request.inputs[1]).spec.shape;
  TANDEM_ASSIGN_OR_RETURN(p.geometry, Conv2dGeometry::Create(x_shape, w_shape, request.attrs));
  const Conv2dGeometry& g = p.geometry;
  TANDEM_RETURN_IF_ERROR(CheckReach(request, g));
  const DType dtype = request.inputs[0].spec.dtype;
  p.compute = FloatComputeType(dtype);
  const Capabilities& capabilities =
      static_cast<const VulkanDevice&>(request.device).capabilities();
  const bool native = dtype == p.compute || capabilities.storage16;
  p.stored = native ? dtype : p.compute;
  if (!input) {
    p.pieces.push_back(WindowsPiece(g, p.direction));
  } else {
    const std::vector<Phase> rows = PhasesOf(g.height), columns = PhasesOf(g.width);
    for (const Phase& y : rows) {
      for (const Phase& x : columns) p.pieces.push_back(PhasePiece(g, y, x));
    }
    p.fill = static_cast<int64_t>(rows.size()) < std::min(g.height.stride, g.height.input) ||
             static_cast<int64_t>(columns.size()) < std::min(g.width.stride, g.width.input);
    // Memory is filled by 32-bit words.
    if (p.fill) p.stored = p.compute;
  }
  const bool fours = capabilities.storage_alignment >= 4 * DTypeSize(p.stored);
  for (Piece& piece : p.pieces) {
    piece.shape.dtype = p.compute;
    piece.shape.left_by_four &= fours;
    piece.shape.right_by_four &= fours;
  }
  return p;
}

using ShaderFunction = const Shader* (*)(DType);

const Shader* ShaderFor(const Problem& p, const ContractionPlan& plan) {
  // By direction, by method, by how elements are stored.
  static constexpr ShaderFunction kShaders[2][4][3] = {
      {{&Conv2dTileShader, &Conv2dTileF16Shader, &Conv2dTileBf16Shader},
       {&Conv2dColumnsShader, &Conv2dColumnsF16Shader, &Conv2dColumnsBf16Shader},
       {&Conv2dDotShader, &Conv2dDotF16Shader, &Conv2dDotBf16Shader},
       {&Conv2dDotSubgroupShader, &Conv2dDotSubgroupF16Shader, &Conv2dDotSubgroupBf16Shader}},
      {{&Conv2dWeightTileShader, &Conv2dWeightTileF16Shader, &Conv2dWeightTileBf16Shader},
       {&Conv2dWeightColumnsShader, &Conv2dWeightColumnsF16Shader, &Conv2dWeightColumnsBf16Shader},
       {&Conv2dWeightDotShader, &Conv2dWeightDotF16Shader, &Conv2dWeightDotBf16Shader},
       {&Conv2dWeightDotSubgroupShader, &Conv2dWeightDotSubgroupF16Shader,
        &Conv2dWeightDotSubgroupBf16Shader}}};
  if (plan.method == Method::kMatrixUnits) return nullptr;
  const int method = plan.method == Method::kTile      ? 0
                     : plan.method == Method::kColumns ? 1
                     : plan.subgroups                  ? 3
                                                       : 2;
  const int stored = p.stored == DType::kF16 ? 1 : p.stored == DType::kBF16 ? 2 : 0;
  return kShaders[p.direction == Direction::kWeight][method][stored](p.compute);
}

absl::StatusOr<Ref<const PreparedKernel>> Prepare(const KernelRequest& request) {
  return PrepareConvolution(request, ConvolutionOptions());
}

}  // namespace

absl::StatusOr<Ref<const PreparedKernel>> PrepareConvolution(const KernelRequest& request,
                                                             const ConvolutionOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const Problem p, ProblemOf(request));
  const Conv2dGeometry& g = p.geometry;
  const Epilogue& epilogue = options.epilogue;
  const std::string& op = request.op.name;
  TANDEM_RETURN_IF_ERROR(CheckEpilogue(op, epilogue, p.compute));
  const bool has_bias = epilogue.bias != Epilogue::Bias::kNone;
  if (has_bias || epilogue.activation != Epilogue::Activation::kNone) {
    if (p.direction != Direction::kForward) {
      return absl::InvalidArgumentError(
          absl::StrCat(op, ": only conv2d takes a bias or an activation"));
    }
    if (has_bias &&
        (epilogue.bias != Epilogue::Bias::kRow || request.inputs.size() != 3 ||
         request.inputs[2].spec != TensorSpec{request.inputs[0].spec.dtype, {g.out_channels}})) {
      return absl::InvalidArgumentError(absl::StrCat(
          op, ": the bias is the request's input 2, of the dtype of x, with one element ",
          "for each of the ", g.out_channels, " output channels"));
    }
  }

  KernelBuilder b(request, op);
  // Windows lie in x, or for its gradient in the gradient of the output; the left operand is the
  // weight, or for its gradient that of the output.
  const Operand source = b.InputAs(0, p.stored);
  const Operand left = b.InputAs(1, p.stored);
  const Operand bias = has_bias ? b.InputAs(2, p.stored) : source;
  const Operand output = b.OutputAs(0, p.stored);
  const int64_t elements = request.outputs[0].spec.shape.num_elements();
  const int64_t bytes = elements * DTypeSize(p.compute);
  if (p.fill && elements > 0) {
    Operand all = output;
    all.size = bytes;
    b.Fill(all, 0);
  }
  std::string description = op;
  for (const Piece& piece : p.pieces) {
    ContractionPlan plan =
        options.plan ? *options.plan : PlanContraction(b.capabilities(), piece.shape);
    // Parts are summed over the whole result, which pieces of a gradient share.
    const bool no_parts = p.pieces.size() > 1 || p.fill;
    if (plan.parts > 1 && (no_parts || bytes > b.capabilities().max_storage_range / plan.parts)) {
      plan.parts = 1;
      plan.depth_of_part = std::max<int64_t>(piece.shape.depth, 1);
    }
    if (p.pieces.size() > 1) {
      // A plan that was forced is one for the first piece.
      plan.depth_of_part = std::max<int64_t>(piece.shape.depth, 1);
      plan.checked = true;
    }
    TANDEM_RETURN_IF_ERROR(CheckSums(b.capabilities(), op, plan));
    Constants constants = piece.constants;
    constants.depth_of_part = Word(plan.depth_of_part);
    constants.out_part = Word(elements);
    const Operand sums = plan.parts > 1 ? b.Workspace(bytes * plan.parts) : output;
    b.DispatchBytes(ShaderFor(p, plan),
                    SpecializationOf(plan, piece.shape, epilogue, p.direction == Direction::kInput),
                    {Read(left), Read(source), Read(bias), Write(sums)}, BytesOf(constants),
                    LinearGrid(WorkGroups(plan, piece.shape)));
    if (plan.parts > 1) {
      SumParts(b, p.compute, p.stored, sums, plan.parts, elements, epilogue, bias,
               {g.height.output * g.width.output, std::max<int64_t>(g.out_channels, 1)}, output);
    }
    if (&piece == &p.pieces.front()) absl::StrAppend(&description, " ", plan.ToString());
  }
  if (p.pieces.size() > 1) absl::StrAppend(&description, ", ", p.pieces.size(), " phases");
  b.Describe(description);
  return b.Finish();
}

absl::StatusOr<std::vector<ContractionPlan>> ConvolutionPlans(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const Problem p, ProblemOf(request));
  if (p.pieces.empty()) return std::vector<ContractionPlan>();
  return AllContractionPlans(static_cast<const VulkanDevice&>(request.device).capabilities(),
                             p.pieces[0].shape);
}

absl::Status RegisterConvolutionKernels(KernelRegistry* registry) {
  for (const char* op : {"conv2d", "conv2d_backward_input", "conv2d_backward_weight"}) {
    TANDEM_RETURN_IF_ERROR(registry->Register(VulkanKernelDef(op, op, FloatTypes(), &Prepare)));
  }
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
