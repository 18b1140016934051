#include "tandem/backends/vulkan/kernels/reduction/reduction.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/floating_point.h"
#include "tandem/backends/vulkan/kernels/movement.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_i64_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_subgroup_i64_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/arg_reduce_subgroup_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/lane_plan.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_i64_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_subgroup_bf16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_subgroup_f16_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_subgroup_i64_shaders.h"
#include "tandem/backends/vulkan/kernels/reduction/reduce_subgroup_shaders.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::vulkan_backend {
namespace {

// Elements of a dtype that a shader handles as they are; others are converted to these.
ElementType ReducedType(const Capabilities& capabilities, DType dtype) {
  if (IsFloating(dtype)) return ElementType::Of(capabilities, dtype);
  const DType type = dtype == DType::kI64 ? DType::kI64 : DType::kI32;
  return {type, type};
}

// --- sum, mean, prod, max, min --------------------------------------------------------------------

enum Op : uint32_t { kSum, kProd, kMax, kMin };        // of reduce.comp
enum Store : uint32_t { kAsIs, kLowWord, kQuotient };  // of reduce.comp

struct Axis {
  uint32_t size = 1;
  int32_t stride = 0;  // elements
};

struct ReduceConstants {
  uint32_t results;
  uint32_t count;
  uint32_t part_count;
  int32_t offset;
  uint32_t kept_axes;
  uint32_t num_axes;
  uint32_t divisor;
  FastDivisor inner;
  std::array<Axis, kMaxRank> axes;
};

// A list in place, outermost first.
class Axes {
 public:
  bool empty() const { return count_ == 0; }
  uint32_t size() const { return count_; }
  const Axis& back() const { return axes_[count_ - 1]; }
  Axis* begin() { return axes_.data(); }
  Axis* end() { return axes_.data() + count_; }
  const Axis* begin() const { return axes_.data(); }
  const Axis* end() const { return axes_.data() + count_; }

  void Add(const Axis& axis) { axes_[count_++] = axis; }
  // Lengthens the last axis if this one continues it.
  void Join(const Axis& axis) {
    if (!empty() && back().stride == static_cast<int64_t>(axis.stride) * axis.size) {
      axes_[count_ - 1] = {back().size * axis.size, axis.stride};
    } else {
      Add(axis);
    }
  }

 private:
  std::array<Axis, kMaxRank> axes_ = {};
  uint32_t count_ = 0;
};

struct Geometry {
  Axes kept;
  Axes reduced;  // at least one, the closest elements last
  int64_t results = 1;
  int64_t count = 1;  // terms of a result
  int32_t offset = 0;
  bool columns = false;  // neighbouring elements belong to different results

  static absl::StatusOr<Geometry> Create(const KernelRequest& request);
};

absl::StatusOr<Geometry> Geometry::Create(const KernelRequest& request) {
  const TensorLayout& x = request.inputs[0];
  const Shape& shape = x.spec.shape;
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, Movement()));
  TANDEM_ASSIGN_OR_RETURN(const ReductionGeometry g,
                          ReductionGeometry::Create(shape, request.attrs.Ints("axes"), true));
  Geometry result;
  result.results = g.output.num_elements();
  result.count = g.count;
  if (result.results == 0) return result;
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  int64_t reach = x.offset;  // elements from the start of the view
  Axes reduced;
  for (int i = 0; i < shape.rank() && reach <= kMost; ++i) {
    if (shape[i] <= 1) continue;
    // A stride of more than all indices is refused with its product.
    const int64_t stride = std::clamp(x.strides[i], -kMost, kMost);
    reach += (shape[i] - 1) * std::abs(stride);
    const Axis axis = {static_cast<uint32_t>(shape[i]), static_cast<int32_t>(stride)};
    if (g.reduced[i]) {
      reduced.Add(axis);
    } else {
      result.kept.Join(axis);
    }
  }
  if (reach > kMost && result.count > 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat(request.op.name, ": the elements of ", x.spec.ToString(),
                     " are spread over more than a Vulkan kernel indexes (2147483647); make it "
                     "contiguous first"));
  }
  result.offset = static_cast<int32_t>(std::min(x.offset, kMost));
  const auto step = [](const Axis& axis) { return std::abs(static_cast<int64_t>(axis.stride)); };
  std::stable_sort(reduced.begin(), reduced.end(),
                   [&](const Axis& a, const Axis& b) { return step(a) > step(b); });
  for (const Axis& axis : reduced) result.reduced.Join(axis);
  if (result.reduced.empty()) result.reduced.Add({static_cast<uint32_t>(g.count), 0});
  const Axis& inner = result.reduced.back();
  result.columns = !result.kept.empty() && result.kept.back().stride != 0 &&
                   (inner.size <= 1 || step(result.kept.back()) < step(inner));
  return result;
}

const Shader* ReducerOf(const ElementType& type, bool subgroups) {
  if (type.compute == DType::kI64) return subgroups ? ReduceSubgroupI64Shader() : ReduceI64Shader();
  return TANDEM_LANE_SHADERS(Reduce, subgroups).For(type);
}

struct Pass {
  ElementType type;
  Op op;
  Store store;
  int64_t divisor;  // of a quotient
};

// In `parts` parts, whose results stand together for each result.
void AddPass(const Geometry& g, const Pass& pass, const LanePlan& plan, int64_t parts,
             const Operand& from, const Operand& to, KernelBuilder* b) {
  ReduceConstants constants = {};
  constants.results = static_cast<uint32_t>(g.results);
  constants.count = static_cast<uint32_t>(g.count);
  constants.part_count = static_cast<uint32_t>(DivideRoundUp(g.count, parts));
  constants.offset = g.offset;
  constants.kept_axes = g.kept.size();
  constants.num_axes = g.kept.size() + g.reduced.size();
  constants.divisor = static_cast<uint32_t>(pass.divisor);
  constants.inner = FastDivisor(g.reduced.back().size);
  std::copy(g.reduced.begin(), g.reduced.end(),
            std::copy(g.kept.begin(), g.kept.end(), constants.axes.begin()));
  const uint32_t reduced_axes = std::min(g.reduced.size(), 3u);
  b->Dispatch(ReducerOf(pass.type, plan.subgroups),
              {plan.group, plan.lanes, plan.columns, pass.op, pass.store, reduced_axes},
              {Read(from), Write(to)}, constants, plan.Grid(g.results, parts));
}

template <Op kOp, bool kMean>
absl::StatusOr<Ref<const PreparedKernel>> PrepareReduce(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const Geometry g, Geometry::Create(request));
  KernelBuilder b(request, request.op.name);
  if (g.results == 0) return b.Finish();
  const ElementType type = ReducedType(b.capabilities(), request.inputs[0].spec.dtype);
  const bool extremum = kOp == kMax || kOp == kMin;
  Pass pass = {type, kOp, kMean ? kQuotient : kAsIs, g.count};
  DType result_type = type.compute;
  if (type.compute == DType::kI32) {
    if (extremum) pass.store = kLowWord;
    if (!extremum) result_type = DType::kI64;
  }
  if (kMean && !IsFloating(type.compute)) result_type = DType::kF32;
  // Strided elements are read where they lie. Of no elements there is nothing that could be bound,
  // and nothing is read.
  const bool in_place = type.stored == request.inputs[0].spec.dtype;
  const Operand x = g.count == 0 ? b.Workspace(DTypeSize(type.stored))
                    : in_place   ? b.Input(0)
                                 : b.InputAs(0, type.stored);
  const Operand y = b.OutputAs(0, result_type);
  const LanePlan plan = g.columns
                            ? LanePlan::ForColumns(b.capabilities(), g.count, g.kept.back().size)
                            : LanePlan::ForRows(b.capabilities(), g.count);
  const int64_t parts = plan.PartsFor(b.capabilities(), g.results, g.count);
  std::string description = absl::StrCat(request.op.name, ", ", plan.ToString());
  if (parts == 1) {
    AddPass(g, pass, plan, 1, x, y, &b);
  } else {
    // Integers are kept in 64 bits from the first pass on.
    const DType wide = IsFloating(type.compute) ? type.compute : DType::kI64;
    const Operand partial = b.Workspace(g.results * parts * DTypeSize(wide));
    AddPass(g, {type, kOp, kAsIs, 1}, plan, parts, x, partial, &b);
    Geometry rest;
    rest.results = g.results;
    rest.count = parts;
    rest.kept.Add({static_cast<uint32_t>(g.results), static_cast<int32_t>(parts)});
    rest.reduced.Add({static_cast<uint32_t>(parts), 1});
    pass.type = {wide, wide};
    AddPass(rest, pass, LanePlan::ForRows(b.capabilities(), parts), 1, partial, y, &b);
    absl::StrAppend(&description, ", ", parts, " parts");
  }
  b.Describe(std::move(description));
  return b.Finish();
}

// --- argmax, argmin -------------------------------------------------------------------------------

const Shader* ArgReducerOf(const ElementType& type, bool subgroups) {
  if (type.compute == DType::kI64) {
    return subgroups ? ArgReduceSubgroupI64Shader() : ArgReduceI64Shader();
  }
  return TANDEM_LANE_SHADERS(ArgReduce, subgroups).For(type);
}

template <bool kMax>
absl::StatusOr<Ref<const PreparedKernel>> PrepareArg(const KernelRequest& request) {
  TANDEM_RETURN_IF_ERROR(CheckUnits(request, Movement()));
  TANDEM_ASSIGN_OR_RETURN(
      const AxisGeometry axis,
      AxisGeometry::Create(request.inputs[0].spec.shape, request.attrs.Int("axis")));
  KernelBuilder b(request, request.op.name);
  if (axis.size == 0) return b.Finish();
  const ElementType type = ReducedType(b.capabilities(), request.inputs[0].spec.dtype);
  const LanePlan plan = LanePlan::ForLines(b.capabilities(), axis);
  TANDEM_RETURN_IF_ERROR(plan.CheckLines(b.capabilities(), request.op.name, axis.size));
  b.Dispatch(ArgReducerOf(type, plan.subgroups), {plan.group, plan.lanes, plan.columns, kMax},
             {Read(b.InputAs(0, type.stored)), Write(b.Output(0))}, LineConstants(axis),
             plan.Grid(axis.outer * axis.inner));
  b.Describe(absl::StrCat(request.op.name, ", ", plan.ToString()));
  return b.Finish();
}

// Whether elements are read where they lie, so that they may have any strides.
bool ReadsInPlace(const KernelRequest& request) {
  const auto& device = static_cast<const VulkanDevice&>(request.device);
  const DType dtype = request.inputs[0].spec.dtype;
  return ComputesFloatsOfInput(request) &&
         ReducedType(device.capabilities(), dtype).stored == dtype;
}

}  // namespace

absl::Status RegisterReductionKernels(KernelRegistry* registry) {
  struct Entry {
    const char* op;
    absl::StatusOr<Ref<const PreparedKernel>> (*prepare)(const KernelRequest&);
  };
  static constexpr Entry kReductions[] = {
      {"sum", &PrepareReduce<kSum, false>},   {"mean", &PrepareReduce<kSum, true>},
      {"prod", &PrepareReduce<kProd, false>}, {"max", &PrepareReduce<kMax, false>},
      {"min", &PrepareReduce<kMin, false>},
  };
  static constexpr Entry kSearches[] = {{"argmax", &PrepareArg<true>},
                                        {"argmin", &PrepareArg<false>}};
  for (const auto& [op, prepare] : kReductions) {
    KernelDef strided = VulkanKernelDef(
        op, op, {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI32, DType::kI64},
        prepare);
    strided.strided_inputs = true;
    strided.supports = &ReadsInPlace;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(strided)));
    KernelDef converted = VulkanKernelDef(
        op, absl::StrCat(op, "_converted"),
        {DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI16, DType::kBool}, prepare);
    converted.priority = -1;
    converted.supports = &ComputesFloatsOfInput;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(converted)));
  }
  for (const auto& [op, prepare] : kSearches) {
    KernelDef def = VulkanKernelDef(op, op, {}, prepare);
    def.supports = &ComputesFloatsOfInput;
    TANDEM_RETURN_IF_ERROR(registry->Register(std::move(def)));
  }
  return absl::OkStatus();
}

}  // namespace tandem::vulkan_backend
