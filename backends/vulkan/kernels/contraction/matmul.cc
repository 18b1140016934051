#include "tandem/backends/vulkan/kernels/contraction/matmul.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_columns_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_columns_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_columns_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_cooperative_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_dot_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_dot_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_dot_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_dot_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_dot_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_dot_subgroup_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_pairs_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_tile_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_tile_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/matmul_tile_shaders.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/matmul_geometry.h"

namespace tandem::vulkan_backend {
namespace {

using Method = ContractionPlan::Method;

// Indices in the shaders are below this.
constexpr int64_t kMostElements = int64_t{1} << 31;
// Dimensions of the batch that a shader walks; the rest is walked here.
constexpr int kBatchRank = 4;

struct Constants {
  uint32_t rows, columns, depth;
  uint32_t left_offset, left_row, left_k;
  uint32_t right_offset, right_k, right_column;
  uint32_t out_row, out_column, out_product;
  uint32_t products, parts, depth_of_part, out_part;
  std::array<uint32_t, kBatchRank - 1> batch;
  std::array<uint32_t, kBatchRank> left_batch;
  std::array<uint32_t, kBatchRank> right_batch;
  uint32_t out_offset;
  uint32_t bias_offset, bias_step;
};

// One operand: matrices of which k is one axis. Strides and offset are in elements.
struct Side {
  int64_t offset = 0;
  int64_t line = 0;  // from row to row of the left operand, column to column of the right
  int64_t k = 0;
  std::vector<int64_t> batch;
};

struct Problem {
  int64_t rows = 0, columns = 0, depth = 0;
  std::vector<int64_t> batch;  // dimensions, after merging
  int64_t products = 1;
  Side left, right;
  int64_t out_row = 0, out_column = 1;
  // Rows are the result's columns: the product was turned round, b' a' = (a b)'.
  bool turned = false;

  ContractionShape shape;
  DType compute = DType::kF32;
  DType stored = DType::kF32;  // as operands are bound
};

DType ComputeDTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF16:
    case DType::kBF16:
      return DType::kF32;
    case DType::kI8:
    case DType::kU8:
    case DType::kI16:
      return DType::kI32;
    default:
      return dtype;
  }
}

bool StoredIn16Bits(DType dtype) { return dtype == DType::kF16 || dtype == DType::kBF16; }

const Capabilities& CapabilitiesOf(const KernelRequest& request) {
  return static_cast<const VulkanDevice&>(request.device).capabilities();
}

Side SideOf(const TensorLayout& layout, bool is_vector, bool transpose, bool is_left,
            int batch_rank) {
  Side side;
  side.offset = layout.offset;
  side.batch.assign(batch_rank, 0);
  const Shape& shape = layout.spec.shape;
  const int rank = shape.rank();
  if (is_vector) {
    side.k = layout.strides[0];
    return side;
  }
  int64_t row = layout.strides[rank - 2], column = layout.strides[rank - 1];
  if (transpose) std::swap(row, column);
  side.line = is_left ? row : column;
  side.k = is_left ? column : row;
  const int own = rank - 2;
  for (int i = 0; i < own; ++i) {
    if (shape[i] != 1) side.batch[batch_rank - own + i] = layout.strides[i];
  }
  return side;
}

// Dimensions of the batch that both operands walk as one become one; those of size 1 go.
void MergeDimensions(Problem* p) {
  std::vector<int64_t> batch, left, right;
  for (size_t i = 0; i < p->batch.size(); ++i) {
    if (p->batch[i] == 1) continue;
    if (!batch.empty() && left.back() == p->left.batch[i] * p->batch[i] &&
        right.back() == p->right.batch[i] * p->batch[i]) {
      batch.back() *= p->batch[i];
      left.back() = p->left.batch[i];
      right.back() = p->right.batch[i];
      continue;
    }
    batch.push_back(p->batch[i]);
    left.push_back(p->left.batch[i]);
    right.push_back(p->right.batch[i]);
  }
  p->batch = std::move(batch);
  p->left.batch = std::move(left);
  p->right.batch = std::move(right);
}

// A batch on the left against one matrix on the right is one tall matrix, if its rows follow each
// other.
void MergeBatchIntoRows(Problem* p) {
  if (p->batch.size() != 1 || p->right.batch[0] != 0 ||
      p->left.batch[0] != p->rows * p->left.line) {
    return;
  }
  p->rows *= p->batch[0];
  p->batch.clear();
  p->left.batch.clear();
  p->right.batch.clear();
  p->products = 1;
}

// Few columns become few rows, which have ways of their own.
void Turn(Problem* p) {
  std::swap(p->rows, p->columns);
  std::swap(p->left, p->right);
  std::swap(p->out_row, p->out_column);
  p->turned = true;
}

// RESOURCE_EXHAUSTED or UNIMPLEMENTED unless 32-bit indices reach every element.
absl::Status CheckReach(absl::string_view name, const Problem& p, const Side& side, int64_t lines) {
  int64_t first = side.offset, last = side.offset;
  const auto add = [&](int64_t size, int64_t stride) -> absl::Status {
    TANDEM_ASSIGN_OR_RETURN(const int64_t distance, CheckedMul(size - 1, stride));
    int64_t& end = stride < 0 ? first : last;
    TANDEM_ASSIGN_OR_RETURN(end, CheckedAdd(end, distance));
    return absl::OkStatus();
  };
  TANDEM_RETURN_IF_ERROR(add(lines, side.line));
  TANDEM_RETURN_IF_ERROR(add(p.depth, side.k));
  for (size_t i = 0; i < p.batch.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(add(p.batch[i], side.batch[i]));
  }
  if (first < 0 || last >= kMostElements) {
    return absl::UnimplementedError(absl::StrCat(
        "matmul: operand ", name, " reaches to element ", last,
        ", and Vulkan's kernel has 32-bit indices; cut the batch or the matrix into parts"));
  }
  return absl::OkStatus();
}

// Whether four elements along the side's contiguous axis are one aligned vector.
bool ByFour(const Problem& p, const Side& side, int64_t lines, const Capabilities& capabilities) {
  if (capabilities.storage_alignment < 4 * DTypeSize(p.stored) || side.offset % 4 != 0) {
    return false;
  }
  for (const int64_t stride : side.batch) {
    if (stride % 4 != 0) return false;
  }
  if (side.k == 1) return p.depth % 4 == 0 && (side.line % 4 == 0 || lines == 1);
  return side.line == 1 && lines % 4 == 0 && (side.k % 4 == 0 || p.depth == 1);
}

absl::StatusOr<Problem> ProblemOf(const KernelRequest& request) {
  const TensorLayout& a = request.inputs[0];
  const TensorLayout& b = request.inputs[1];
  TANDEM_ASSIGN_OR_RETURN(
      const MatmulGeometry g,
      MatmulGeometry::Create(a.spec.shape, b.spec.shape, request.attrs.Bool("transpose_a"),
                             request.attrs.Bool("transpose_b")));
  const Capabilities& capabilities = CapabilitiesOf(request);
  Problem p;
  p.rows = g.m;
  p.columns = g.n;
  p.depth = g.k;
  p.batch.assign(g.batch.begin(), g.batch.end());
  p.products = g.num_batches;
  p.out_row = g.n;
  p.compute = ComputeDTypeOf(a.spec.dtype);
  p.stored = StoredIn16Bits(a.spec.dtype) && capabilities.storage16 ? a.spec.dtype : p.compute;
  p.left = SideOf(a, g.a_is_vector, g.transpose_a, true, g.batch.rank());
  p.right = SideOf(b, g.b_is_vector, g.transpose_b, false, g.batch.rank());
  MergeDimensions(&p);
  MergeBatchIntoRows(&p);
  if (p.columns < p.rows && p.columns <= 16) Turn(&p);
  if (g.output.num_elements() > 0 && p.depth > 0) {
    TANDEM_RETURN_IF_ERROR(CheckReach(p.turned ? "b" : "a", p, p.left, p.rows));
    TANDEM_RETURN_IF_ERROR(CheckReach(p.turned ? "a" : "b", p, p.right, p.columns));
  }
  if (g.output.num_elements() >= kMostElements || p.depth >= kMostElements) {
    return absl::UnimplementedError(absl::StrCat(
        "matmul: a result of ", g.output.ToString(), " from sums of ", p.depth,
        " products is beyond the 32-bit indices of Vulkan's kernel; cut it into parts"));
  }

  ContractionShape& s = p.shape;
  s.products = p.products;
  s.rows = p.rows;
  s.columns = p.columns;
  s.depth = p.depth;
  s.dtype = p.compute;
  s.left_along_k = p.left.k == 1 || p.left.line != 1;
  s.right_along_k = p.right.k == 1 && p.right.line != 1;
  s.left_by_four = ByFour(p, p.left, p.rows, capabilities) && s.left_along_k == (p.left.k == 1);
  s.right_by_four =
      ByFour(p, p.right, p.columns, capabilities) && s.right_along_k == (p.right.k == 1);
  s.right_by_pairs =
      s.right_by_four && s.right_along_k && p.stored == DType::kF32 && capabilities.int64;
  const auto fragments = [&](const Side& side) {
    return (side.k == 1 ? side.line : side.k) % 8 == 0 && (side.k == 1 || side.line == 1) &&
           side.offset % 8 == 0 &&
           std::all_of(side.batch.begin(), side.batch.end(),
                       [](int64_t stride) { return stride % 8 == 0; });
  };
  s.matrix_units = p.stored == DType::kF16 && p.rows % 16 == 0 && p.columns % 16 == 0 &&
                   p.depth % 16 == 0 && p.depth > 0 && !p.turned && fragments(p.left) &&
                   fragments(p.right);
  return p;
}

const Shader* ShaderFor(const Problem& p, const ContractionPlan& plan) {
  const bool f16 = p.stored == DType::kF16;
  const bool bf16 = p.stored == DType::kBF16;
  switch (plan.method) {
    case Method::kTile:
      return f16    ? MatmulTileF16Shader(p.compute)
             : bf16 ? MatmulTileBf16Shader(p.compute)
                    : MatmulTileShader(p.compute);
    case Method::kColumns:
      if (plan.pairs) return MatmulPairsShader(p.compute);
      return f16    ? MatmulColumnsF16Shader(p.compute)
             : bf16 ? MatmulColumnsBf16Shader(p.compute)
                    : MatmulColumnsShader(p.compute);
    case Method::kDot:
      if (plan.subgroups) {
        return f16    ? MatmulDotSubgroupF16Shader(p.compute)
               : bf16 ? MatmulDotSubgroupBf16Shader(p.compute)
                      : MatmulDotSubgroupShader(p.compute);
      }
      return f16    ? MatmulDotF16Shader(p.compute)
             : bf16 ? MatmulDotBf16Shader(p.compute)
                    : MatmulDotShader(p.compute);
    case Method::kMatrixUnits:
      return MatmulCooperativeShader(p.compute);
  }
  return nullptr;
}

Constants ConstantsOf(const Problem& p, const ContractionPlan& plan) {
  const auto word = [](int64_t value) { return static_cast<uint32_t>(value); };
  Constants c = {};
  c.rows = word(p.rows);
  c.columns = word(p.columns);
  c.depth = word(p.depth);
  c.left_row = word(p.left.line);
  c.left_k = word(p.left.k);
  c.right_k = word(p.right.k);
  c.right_column = word(p.right.line);
  c.out_row = word(p.out_row);
  c.out_column = word(p.out_column);
  c.out_product = word(p.rows * p.columns);
  c.parts = word(plan.parts);
  c.depth_of_part = word(plan.depth_of_part);
  c.out_part = word(p.products * p.rows * p.columns);
  c.batch.fill(1);
  const int rank = static_cast<int>(p.batch.size());
  for (int i = 0; i < std::min(rank, kBatchRank); ++i) {
    const int from = rank - 1 - i, to = kBatchRank - 1 - i;
    if (to > 0) c.batch[to - 1] = word(p.batch[from]);
    c.left_batch[to] = word(p.left.batch[from]);
    c.right_batch[to] = word(p.right.batch[from]);
  }
  return c;
}

// Calls fn(left offset, right offset, first product) for each set of products that one dispatch
// computes.
template <typename Fn>
void ForOuterBatches(const Problem& p, Fn&& fn) {
  const int outer = std::max<int>(static_cast<int>(p.batch.size()) - kBatchRank, 0);
  int64_t count = 1;
  for (int i = 0; i < outer; ++i) count *= p.batch[i];
  const int64_t inner = count == 0 ? 0 : p.products / count;
  for (int64_t index = 0; index < count; ++index) {
    int64_t left = p.left.offset, right = p.right.offset, rest = index;
    for (int i = outer - 1; i >= 0; --i) {
      left += rest % p.batch[i] * p.left.batch[i];
      right += rest % p.batch[i] * p.right.batch[i];
      rest /= p.batch[i];
    }
    fn(left, right, index * inner, inner);
  }
}

absl::StatusOr<Ref<const PreparedKernel>> Prepare(const KernelRequest& request) {
  return PrepareMatmul(request, MatmulOptions());
}

bool SameDTypes(const KernelRequest& request) {
  const DType dtype = request.inputs[0].spec.dtype;
  return request.inputs[1].spec.dtype == dtype && request.outputs[0].spec.dtype == dtype;
}

}  // namespace

absl::StatusOr<Ref<const PreparedKernel>> PrepareMatmul(const KernelRequest& request,
                                                        const MatmulOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(Problem p, ProblemOf(request));
  TANDEM_RETURN_IF_ERROR(CheckEpilogue("matmul", options.epilogue, p.compute));
  // The shader for matrix units knows no epilogue but relu.
  p.shape.matrix_units &= options.epilogue.bias == Epilogue::Bias::kNone &&
                          options.epilogue.activation <= Epilogue::Activation::kRelu;
  KernelBuilder b(request, "matmul");
  ContractionPlan plan = options.plan ? *options.plan : PlanContraction(b.capabilities(), p.shape);
  const int64_t elements = request.outputs[0].spec.shape.num_elements();
  const int64_t part_bytes = elements * DTypeSize(p.compute);
  if (plan.parts > 1 && part_bytes > b.capabilities().max_storage_range / plan.parts) {
    plan.parts = 1;
    plan.depth_of_part = std::max<int64_t>(p.depth, 1);
  }
  TANDEM_RETURN_IF_ERROR(CheckSums(b.capabilities(), "matmul", plan));

  Epilogue epilogue = options.epilogue;
  const bool as_stored = p.stored == request.inputs[0].spec.dtype;
  int64_t bias_elements = 1, bias_offset = 0, bias_step = 1;
  if (epilogue.bias != Epilogue::Bias::kNone) {
    if (epilogue.bias != Epilogue::Bias::kColumn || request.inputs.size() != 3) {
      return absl::InvalidArgumentError(
          "matmul: a bias is one element for each column, the request's input 2");
    }
    bias_elements = p.turned ? p.rows : p.columns;
    const TensorLayout& bias = request.inputs[2];
    if (bias.spec.dtype != request.inputs[0].spec.dtype ||
        bias.spec.shape.num_elements() != bias_elements || bias.spec.shape.rank() == 0 ||
        bias.spec.shape.back() != bias_elements || (!as_stored && !bias.is_contiguous())) {
      return absl::InvalidArgumentError(
          absl::StrCat("matmul: the bias must be of the operands' dtype, with an element for each "
                       "of the ",
                       bias_elements, " columns along its last axis, not ", bias.spec.ToString()));
    }
    if (as_stored) {
      bias_offset = bias.offset;
      bias_step = bias.strides.back();
    }
    if (p.turned) epilogue.bias = Epilogue::Bias::kRow;
  }

  const Operand left_input = as_stored ? b.Input(0) : b.InputAs(0, p.stored);
  const Operand right_input = as_stored ? b.Input(1) : b.InputAs(1, p.stored);
  const Operand bias = epilogue.bias == Epilogue::Bias::kNone
                           ? left_input
                           : (as_stored ? b.Input(2) : b.InputAs(2, p.stored));
  const Operand output = as_stored ? b.Output(0) : b.OutputAs(0, p.stored);
  const Operand sums = plan.parts > 1 ? b.Workspace(part_bytes * plan.parts) : output;

  Constants constants = ConstantsOf(p, plan);
  constants.bias_offset = static_cast<uint32_t>(bias_offset);
  constants.bias_step = static_cast<uint32_t>(bias_step);
  const auto specialization = SpecializationOf(plan, p.shape, epilogue);
  ForOuterBatches(p, [&](int64_t left, int64_t right, int64_t first, int64_t products) {
    constants.left_offset = static_cast<uint32_t>(left);
    constants.right_offset = static_cast<uint32_t>(right);
    constants.products = static_cast<uint32_t>(products);
    // Not the binding's offset, which has to be a multiple of the device's storage alignment.
    constants.out_offset = static_cast<uint32_t>(first * p.rows * p.columns);
    ContractionShape shape = p.shape;
    shape.products = products;
    b.DispatchBytes(ShaderFor(p, plan), specialization,
                    {Read(p.turned ? right_input : left_input),
                     Read(p.turned ? left_input : right_input), Read(bias), Write(sums)},
                    BytesOf(constants), LinearGrid(WorkGroups(plan, shape)));
  });
  if (plan.parts > 1) {
    epilogue.bias = options.epilogue.bias;
    SumParts(b, p.compute, p.stored, sums, plan.parts, elements, epilogue, bias,
             {1, std::max<int64_t>(bias_elements, 1), bias_offset, bias_step}, output);
  }
  b.Describe(absl::StrCat("matmul ", plan.ToString()));
  return b.Finish();
}

absl::StatusOr<std::vector<ContractionPlan>> MatmulPlans(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const Problem p, ProblemOf(request));
  return AllContractionPlans(CapabilitiesOf(request), p.shape);
}

absl::Status RegisterMatmulKernels(KernelRegistry* registry) {
  const auto define = [](const char* name, std::vector<DType> dtypes) {
    KernelDef def = VulkanKernelDef("matmul", name, std::move(dtypes), &Prepare);
    def.supports = [computes = std::move(def.supports)](const KernelRequest& request) {
      return (!computes || computes(request)) && SameDTypes(request);
    };
    return def;
  };
  KernelDef direct = define("matmul", {DType::kF32, DType::kF64, DType::kI32, DType::kI64});
  direct.strided_inputs = true;
  TANDEM_RETURN_IF_ERROR(registry->Register(std::move(direct)));
  KernelDef half = define("matmul_16bit", {DType::kF16, DType::kBF16});
  half.strided_inputs = true;
  half.priority = 1;
  half.supports = [computes = std::move(half.supports)](const KernelRequest& request) {
    return computes(request) && CapabilitiesOf(request).storage16;
  };
  TANDEM_RETURN_IF_ERROR(registry->Register(std::move(half)));
  return registry->Register(
      define("matmul_converted", {DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16}));
}

}  // namespace tandem::vulkan_backend
