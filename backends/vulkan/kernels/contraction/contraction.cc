#include "tandem/backends/vulkan/kernels/contraction/contraction.h"

#include <algorithm>
#include <array>
#include <bit>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/contraction/sum_parts_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/sum_parts_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/contraction/sum_parts_shaders.h"
#include "tandem/backends/vulkan/kernels/loop_limit.h"
#include "tandem/core/base/checked_math.h"

namespace tandem::vulkan_backend {
namespace {

using Method = ContractionPlan::Method;

// Work groups that a GPU runs at once, roughly: what a product should be cut into at least.
constexpr int64_t kBusyGroups = 128;
// Steps of k that a part is worth at least.
constexpr int64_t kLeastDepthOfPart = 256;
constexpr int64_t kMostParts = 16;
// At most as many rows as this are not worth a tile.
constexpr int64_t kFewRows = 16;

struct TileSize {
  uint32_t rows, columns, depth, thread_rows, thread_columns;
  // Multiplications and additions a second beside those of the largest tile, when all is busy.
  double speed;
};
constexpr std::array<TileSize, 4> kTiles = {{{128, 128, 16, 8, 8, 1.0},
                                             {128, 64, 16, 8, 4, 0.8},
                                             {64, 64, 16, 4, 4, 0.65},
                                             {32, 32, 16, 4, 2, 0.35}}};

ContractionPlan TilePlan(const ContractionShape& shape, const TileSize& tile) {
  ContractionPlan plan;
  plan.method = Method::kTile;
  plan.block_rows = tile.rows;
  plan.block_columns = tile.columns;
  plan.block_depth = tile.depth * 4 / std::max<uint32_t>(4, DTypeSize(shape.dtype));
  plan.thread_rows = tile.thread_rows;
  plan.thread_columns = tile.thread_columns;
  plan.threads = tile.rows / tile.thread_rows * (tile.columns / tile.thread_columns);
  // Every thread has to fetch something.
  const auto can_fetch_fours = [&](uint32_t lines) {
    return lines * plan.block_depth % (4 * plan.threads) == 0;
  };
  plan.left_by_four = shape.left_by_four && can_fetch_fours(plan.block_rows);
  plan.right_by_four = shape.right_by_four && can_fetch_fours(plan.block_columns);
  plan.checked = shape.rows % plan.block_rows != 0 || shape.columns % plan.block_columns != 0 ||
                 shape.depth % plan.block_depth != 0;
  plan.depth_of_part = std::max<int64_t>(shape.depth, 1);
  return plan;
}

ContractionPlan ColumnsPlan(const ContractionShape& shape, uint32_t threads, uint32_t slices,
                            uint32_t thread_rows, uint32_t thread_columns) {
  ContractionPlan plan;
  plan.method = Method::kColumns;
  plan.threads = threads;
  plan.slices = slices;
  plan.thread_rows = thread_rows;
  plan.thread_columns = thread_columns;
  plan.block_rows = thread_rows;
  plan.block_columns = threads * thread_columns;
  plan.block_depth = 1;
  plan.depth_of_part = std::max<int64_t>(shape.depth, 1);
  return plan;
}

ContractionPlan ByPairs(ContractionPlan columns) {
  columns.pairs = true;
  columns.block_depth = 2;
  return columns;
}

ContractionPlan DotPlan(const ContractionShape& shape, uint32_t threads, uint32_t rows,
                        uint32_t columns, bool subgroups) {
  ContractionPlan plan;
  plan.method = Method::kDot;
  plan.threads = threads;
  plan.thread_rows = plan.block_rows = rows;
  plan.thread_columns = plan.block_columns = columns;
  plan.block_depth = 1;
  plan.subgroups = subgroups;
  plan.depth_of_part = std::max<int64_t>(shape.depth, 1);
  return plan;
}

ContractionPlan MatrixUnitsPlan(const Capabilities& capabilities, const ContractionShape& shape,
                                uint32_t fragments) {
  ContractionPlan plan;
  plan.method = Method::kMatrixUnits;
  plan.threads = capabilities.subgroup_size;
  plan.thread_rows = plan.thread_columns = fragments;
  plan.block_rows = plan.block_columns = 16 * fragments;
  plan.block_depth = 16;
  plan.checked = false;
  plan.depth_of_part = std::max<int64_t>(shape.depth, 1);
  return plan;
}

bool Fits(const Capabilities& capabilities, const ContractionShape& shape,
          const ContractionPlan& plan) {
  if (plan.threads * plan.slices > capabilities.max_workgroup_invocations) return false;
  int64_t elements = 0;
  switch (plan.method) {
    case Method::kTile:
      elements = int64_t{plan.block_depth} * (plan.block_rows + plan.block_columns + 2);
      break;
    case Method::kColumns:
      elements = plan.slices > 1 ? plan.threads * plan.slices : 1;
      break;
    case Method::kDot:
      elements = int64_t{plan.thread_rows} * plan.thread_columns * plan.threads;
      break;
    case Method::kMatrixUnits:
      return shape.matrix_units && capabilities.cooperative_matrix &&
             shape.rows % plan.block_rows == 0 && shape.columns % plan.block_columns == 0;
  }
  return elements * std::max<int64_t>(4, DTypeSize(shape.dtype)) <=
         capabilities.shared_memory_bytes;
}

// Whether subgroup instructions serve this dtype on every device that has them.
bool SubgroupsFor(const Capabilities& capabilities, DType dtype) {
  return capabilities.subgroups && dtype == DType::kF32;
}

// Cuts the sum into `parts`, or fewer.
void Split(const ContractionShape& shape, int64_t parts, ContractionPlan* plan) {
  const int64_t blocks = DivideRoundUp(shape.depth, plan->block_depth);
  const int64_t blocks_of_part = DivideRoundUp(std::max<int64_t>(blocks, 1), parts);
  plan->depth_of_part = blocks_of_part * plan->block_depth;
  plan->parts = std::max<int64_t>(1, DivideRoundUp(blocks, blocks_of_part));
}

// Splits the sum until there are about `groups` work groups.
void SplitForGroups(const ContractionShape& shape, int64_t groups, int64_t least_depth,
                    ContractionPlan* plan) {
  const int64_t present = WorkGroups(*plan, shape);
  if (present == 0 || present * 2 > groups) return;
  Split(shape,
        std::clamp<int64_t>(shape.depth / least_depth, 1, std::min(groups / present, kMostParts)),
        plan);
}

// A block of sums that divides `size` evenly, of at most `most`.
uint32_t EvenBlock(int64_t size, int64_t most) {
  const int64_t blocks = DivideRoundUp(std::max<int64_t>(size, 1), most);
  return static_cast<uint32_t>(DivideRoundUp(std::max<int64_t>(size, 1), blocks));
}

// A driver on a CPU: threads of a work group are lanes of its vectors, work groups are spread over
// cores. Elements that all lanes share are read once, others lane by lane, so many sums a thread pay,
// and so do words of 64 bits; shared memory and barriers do not.
ContractionPlan PlanForCpu(const Capabilities& capabilities, const ContractionShape& shape) {
  const uint32_t lanes = std::max<uint32_t>(capabilities.subgroup_size, 4);
  const uint32_t rows = EvenBlock(shape.rows, 8);
  // Programs of 8 x 8 sums take long to compile.
  const double work = static_cast<double>(shape.products) * shape.rows * shape.columns *
                      std::max<int64_t>(shape.depth, 1);
  const int64_t most = work >= 1 << 22 || rows <= 4 ? 8 : 4;
  const uint32_t columns =
      EvenBlock(DivideRoundUp(std::max<int64_t>(shape.columns, 1), lanes), most);
  ContractionPlan plan = ColumnsPlan(shape, lanes, 1, rows, columns);
  if (shape.right_by_pairs) plan = ByPairs(plan);
  SplitForGroups(shape, 8, 4096, &plan);
  return plan;
}

ContractionPlan PlanFewRows(const Capabilities& capabilities, const ContractionShape& shape) {
  // As many threads as every device has, and subgroups fill.
  constexpr uint32_t kThreads = 64;
  ContractionPlan plan;
  if (shape.left_along_k && shape.right_along_k && shape.depth >= 2 * kThreads) {
    const uint32_t rows = EvenBlock(shape.rows, 4);
    plan =
        DotPlan(shape, kThreads, rows, rows <= 2 ? 4 : 2, SubgroupsFor(capabilities, shape.dtype));
  } else {
    plan = ColumnsPlan(shape, kThreads, 1, EvenBlock(shape.rows, 8), 1);
    // A depthwise convolution: what is known of a tap serves several windows.
    if (shape.rows <= 2 && shape.depth <= 128) {
      const ContractionPlan wide = ColumnsPlan(shape, kThreads, 1, plan.thread_rows, 4);
      if (WorkGroups(wide, shape) >= kBusyGroups) plan = wide;
    }
    // Threads beside each other share a column's sum, as long as too few are busy.
    while (plan.slices < 8 && shape.depth >= 64 * plan.slices &&
           WorkGroups(plan, shape) < kBusyGroups) {
      ContractionPlan more = plan;
      more.slices *= 2;
      more.threads = std::max<uint32_t>(16, 128 / more.slices);
      more.block_columns = more.threads;
      if (!Fits(capabilities, shape, more)) break;
      plan = more;
    }
  }
  SplitForGroups(shape, kBusyGroups, kLeastDepthOfPart, &plan);
  return plan;
}

ContractionPlan PlanTiles(const Capabilities& capabilities, const ContractionShape& shape) {
  ContractionPlan best;
  double best_time = 0;
  for (const TileSize& tile : kTiles) {
    ContractionPlan plan = TilePlan(shape, tile);
    if (!Fits(capabilities, shape, plan)) continue;
    SplitForGroups(shape, kBusyGroups, kLeastDepthOfPart, &plan);
    const auto waves = static_cast<double>(DivideRoundUp(WorkGroups(plan, shape), kBusyGroups));
    const double time =
        waves * tile.rows * tile.columns / tile.speed * static_cast<double>(plan.depth_of_part);
    if (best_time == 0 || time < best_time) {
      best = plan;
      best_time = time;
    }
  }
  if (best_time == 0) best = ColumnsPlan(shape, 64, 1, EvenBlock(shape.rows, 8), 1);
  return best;
}

ContractionPlan PlanOf(const Capabilities& capabilities, const ContractionShape& shape) {
  if (capabilities.is_cpu) return PlanForCpu(capabilities, shape);
  for (const uint32_t fragments : {4u, 2u, 1u}) {
    const ContractionPlan plan = MatrixUnitsPlan(capabilities, shape, fragments);
    if (Fits(capabilities, shape, plan) && WorkGroups(plan, shape) * 2 >= kBusyGroups) return plan;
  }
  if (shape.rows <= kFewRows) return PlanFewRows(capabilities, shape);
  return PlanTiles(capabilities, shape);
}

}  // namespace

std::string ContractionPlan::ToString() const {
  std::string text;
  switch (method) {
    case Method::kTile:
      text = absl::StrCat("tile ", block_rows, "x", block_columns, "x", block_depth,
                          left_by_four ? ", left by four" : "",
                          right_by_four ? ", right by four" : "", checked ? "" : ", unchecked");
      break;
    case Method::kColumns:
      text = absl::StrCat("columns ", block_rows, "x", block_columns,
                          slices > 1 ? absl::StrCat(", ", slices, " slices") : "",
                          pairs ? ", pairs" : "");
      break;
    case Method::kDot:
      text = absl::StrCat("dot ", block_rows, "x", block_columns, subgroups ? ", subgroups" : "");
      break;
    case Method::kMatrixUnits:
      text = absl::StrCat("matrix units ", block_rows, "x", block_columns);
      break;
  }
  if (parts > 1) absl::StrAppend(&text, ", ", parts, " parts");
  return text;
}

ContractionPlan PlanContraction(const Capabilities& capabilities, const ContractionShape& shape) {
  ContractionPlan plan = PlanOf(capabilities, shape);
  // Half of what loops may do is for those within a step.
  const int64_t longest = LoopIterations(capabilities) / 2;
  if (plan.depth_of_part > longest) Split(shape, DivideRoundUp(shape.depth, longest / 2), &plan);
  return plan;
}

absl::Status CheckSums(const Capabilities& capabilities, absl::string_view op,
                       const ContractionPlan& plan) {
  const int64_t at_once = plan.method == Method::kDot       ? plan.threads
                          : plan.method == Method::kColumns ? plan.slices
                                                            : 1;
  return CheckLoops(capabilities, op, DivideRoundUp(plan.depth_of_part, at_once));
}

std::vector<ContractionPlan> AllContractionPlans(const Capabilities& capabilities,
                                                 const ContractionShape& shape) {
  std::vector<ContractionPlan> plans;
  for (const TileSize& tile : kTiles) {
    plans.push_back(TilePlan(shape, tile));
    if (shape.left_by_four || shape.right_by_four) {
      plans.push_back(plans.back());
      plans.back().left_by_four = plans.back().right_by_four = false;
    }
  }
  plans.push_back(ColumnsPlan(shape, 64, 1, 4, 1));
  plans.push_back(ColumnsPlan(shape, 16, 4, 3, 2));
  plans.push_back(ColumnsPlan(shape, 8, 1, 8, 4));
  if (shape.right_by_pairs) {
    plans.push_back(ByPairs(ColumnsPlan(shape, 64, 1, 4, 1)));
    plans.push_back(ByPairs(ColumnsPlan(shape, 8, 1, 3, 4)));
  }
  plans.push_back(DotPlan(shape, 64, 1, 4, false));
  plans.push_back(DotPlan(shape, 32, 2, 2, false));
  if (SubgroupsFor(capabilities, shape.dtype)) plans.push_back(DotPlan(shape, 64, 2, 4, true));
  for (const uint32_t fragments : {1u, 2u, 4u}) {
    plans.push_back(MatrixUnitsPlan(capabilities, shape, fragments));
  }
  std::erase_if(plans, [&](const ContractionPlan& p) { return !Fits(capabilities, shape, p); });
  const size_t whole = plans.size();
  for (size_t i = 0; i < whole; ++i) {
    ContractionPlan plan = plans[i];
    if (plan.method == Method::kMatrixUnits) continue;
    Split(shape, 3, &plan);
    if (plan.parts > 1) plans.push_back(plan);
  }
  return plans;
}

int64_t WorkGroups(const ContractionPlan& plan, const ContractionShape& shape) {
  return DivideRoundUp(shape.rows, plan.block_rows) *
         DivideRoundUp(shape.columns, plan.block_columns) * shape.products * plan.parts;
}

ContractionSpecialization SpecializationOf(const ContractionPlan& plan,
                                           const ContractionShape& shape, const Epilogue& epilogue,
                                           bool transposed) {
  ContractionSpecialization constants = {};
  switch (plan.method) {
    case Method::kTile:
      constants = {plan.threads,      plan.block_rows,     plan.block_columns, plan.block_depth,
                   plan.thread_rows,  plan.thread_columns, shape.left_along_k, shape.right_along_k,
                   plan.left_by_four, plan.right_by_four,  plan.checked};
      break;
    case Method::kColumns:
      constants = {plan.threads, plan.slices, plan.thread_rows, plan.thread_columns};
      break;
    case Method::kDot:
      constants = {plan.threads, plan.thread_rows, plan.thread_columns};
      break;
    case Method::kMatrixUnits:
      constants = {plan.threads, plan.thread_rows, plan.thread_columns, shape.left_along_k,
                   shape.right_along_k};
      break;
  }
  // What follows a sum follows all of its parts.
  const bool whole = plan.parts == 1;
  constants[12] = whole ? static_cast<uint32_t>(epilogue.bias) : 0;
  constants[13] = whole ? static_cast<uint32_t>(epilogue.activation) : 0;
  constants[14] = transposed;
  return constants;
}

absl::Status CheckEpilogue(absl::string_view op, const Epilogue& epilogue, DType compute_dtype) {
  if (compute_dtype == DType::kF32 || epilogue.activation == Epilogue::Activation::kNone ||
      epilogue.activation == Epilogue::Activation::kRelu) {
    return absl::OkStatus();
  }
  return absl::UnimplementedError(absl::StrCat(
      op, ": after a sum in ", DTypeName(compute_dtype),
      " only relu can be computed in the same pass; others are for f32, f16 and bf16. Apply the "
      "activation as an op of its own"));
}

void SumParts(KernelBuilder& b, DType compute, DType stored, const Operand& parts, int64_t count,
              int64_t elements, const Epilogue& epilogue, const Operand& bias, BiasIndex bias_index,
              const Operand& to) {
  struct Constants {
    uint32_t elements, parts, bias_repeats, bias_elements, bias_offset, bias_step;
  };
  const uint32_t threads = 64;
  const Shader* shader = stored == DType::kF16    ? SumPartsF16Shader(compute)
                         : stored == DType::kBF16 ? SumPartsBf16Shader(compute)
                                                  : SumPartsShader(compute);
  std::array<uint32_t, 14> specialization = {};
  specialization[0] = threads;
  specialization[12] = static_cast<uint32_t>(epilogue.bias);
  specialization[13] = static_cast<uint32_t>(epilogue.activation);
  const Constants constants = {
      static_cast<uint32_t>(elements),           static_cast<uint32_t>(count),
      static_cast<uint32_t>(bias_index.repeats), static_cast<uint32_t>(bias_index.elements),
      static_cast<uint32_t>(bias_index.offset),  static_cast<uint32_t>(bias_index.step)};
  b.DispatchBytes(shader, specialization, {Read(parts), Read(bias), Write(to)}, BytesOf(constants),
                  GroupsFor(elements, threads));
}

}  // namespace tandem::vulkan_backend
