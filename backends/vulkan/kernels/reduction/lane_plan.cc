#include "tandem/backends/vulkan/kernels/reduction/lane_plan.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/kernels/loop_limit.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/base/checked_math.h"

namespace tandem::vulkan_backend {
namespace {

// Every device has groups of 128 invocations.
uint32_t GroupOf(const Capabilities& capabilities, uint32_t wanted) {
  return std::min(wanted, std::bit_floor(std::max(capabilities.max_workgroup_invocations, 1u)));
}

// The power of two that gives each lane at most `each` of `count` elements, at most `most`.
uint32_t LanesFor(int64_t count, int64_t each, uint32_t most) {
  const int64_t wanted = DivideRoundUp(std::max<int64_t>(count, 1), each);
  return wanted >= most ? most : std::bit_ceil(static_cast<uint32_t>(wanted));
}

// Loops over a line that a kernel has: those of softmax and layer_norm.
constexpr int64_t kLoopsOfLine = 3;

// Gives a long line as many lanes as keep their loops short enough.
void LengthenLanes(const Capabilities& capabilities, int64_t count, LanePlan* plan) {
  const int64_t each = LoopIterations(capabilities) / (kLoopsOfLine + 1);
  const uint32_t lanes =
      LanesFor(count, each, GroupOf(capabilities, capabilities.max_workgroup_invocations));
  plan->lanes = std::max(plan->lanes, lanes);
  plan->group = std::max(plan->group, plan->lanes);
}

}  // namespace

LanePlan LanePlan::ForRows(const Capabilities& capabilities, int64_t count, bool long_groups) {
  // A software driver runs a group's lanes one vector after the other and stops at every barrier, so
  // an item gets no more lanes than a vector has.
  constexpr uint32_t kSoftwareLanes = 8;
  const bool is_cpu = capabilities.is_cpu;
  LanePlan plan;
  plan.group = GroupOf(capabilities, is_cpu ? 64 : 256);
  if (long_groups && !is_cpu && count > 8 * plan.group) plan.group = GroupOf(capabilities, 1024);
  plan.lanes = is_cpu ? LanesFor(count, 16, kSoftwareLanes) : LanesFor(count, 4, plan.group);
  if (long_groups) LengthenLanes(capabilities, count, &plan);
  plan.subgroups = capabilities.subgroups && plan.lanes > 1 &&
                   plan.group % std::max(capabilities.subgroup_size, 1u) == 0;
  return plan;
}

LanePlan LanePlan::ForColumns(const Capabilities& capabilities, int64_t count, int64_t adjacent) {
  constexpr uint32_t kNeighbours = 32;  // enough for whole memory transactions
  LanePlan plan;
  plan.columns = true;
  plan.group = GroupOf(capabilities, capabilities.is_cpu ? 64 : 256);
  const uint32_t neighbours = LanesFor(adjacent, 1, std::min(kNeighbours, plan.group));
  plan.lanes = LanesFor(count, capabilities.is_cpu ? 32 : 8, plan.group / neighbours);
  return plan;
}

LanePlan LanePlan::ForLines(const Capabilities& capabilities, const AxisGeometry& axis) {
  if (axis.inner == 1) return ForRows(capabilities, axis.size, /*long_groups=*/true);
  LanePlan plan = ForColumns(capabilities, axis.size, axis.inner);
  LengthenLanes(capabilities, axis.size, &plan);
  return plan;
}

absl::Status LanePlan::CheckLines(const Capabilities& capabilities, absl::string_view op,
                                  int64_t count) const {
  return CheckLoops(capabilities, op, kLoopsOfLine * (DivideRoundUp(count, int64_t{lanes}) + 1));
}

std::array<uint32_t, 3> LanePlan::Grid(int64_t items, int64_t parts) const {
  std::array<uint32_t, 3> grid = LinearGrid(DivideRoundUp(items, int64_t{this->items()}));
  grid[2] = static_cast<uint32_t>(parts);
  return grid;
}

int64_t LanePlan::PartsFor(const Capabilities& capabilities, int64_t items, int64_t count) const {
  const int64_t occupying = capabilities.is_cpu ? 4 : 256;  // groups
  constexpr int64_t kTermsOfLane = 32;
  const int64_t groups = DivideRoundUp(items, int64_t{this->items()});
  if (groups == 0) return 1;
  // A term of a reduction over many axes is a loop of its own.
  const int64_t longest = lanes * std::min(LoopIterations(capabilities) / 16, count);
  const int64_t least = longest == 0 ? 1 : DivideRoundUp(count, longest);
  const int64_t wanted = std::min(occupying / groups, count / (lanes * kTermsOfLane));
  // Parts are the third dimension of a grid.
  const int64_t most = std::min<int64_t>(std::max(wanted, least), 65535);
  if (most <= 1) return 1;
  return DivideRoundUp(count, DivideRoundUp(count, most));
}

std::string LanePlan::ToString() const {
  return absl::StrCat(items(), columns ? " columns of " : " rows of ", lanes,
                      subgroups ? " lanes by subgroups" : " lanes");
}

}  // namespace tandem::vulkan_backend
