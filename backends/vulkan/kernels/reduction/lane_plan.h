// How the results of a reduction are spread over invocations (shaders/lanes.glsl): work groups of
// several items, each with several lanes.
//
//   const LanePlan plan = LanePlan::ForRows(b.capabilities(), row_size);
//   b.Dispatch(plan.subgroups ? SumSubgroupShader(dtype) : SumShader(dtype),
//              {plan.group, plan.lanes, plan.columns}, …, plan.Grid(rows));
//
// Short rows share a group, so that no lanes idle, and long ones get all of it. Thread rules: a value
// type, pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_LANE_PLAN_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_LANE_PLAN_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::vulkan_backend {

struct LanePlan {
  uint32_t group = 64;  // invocations, a power of two
  uint32_t lanes = 1;   // of an item, a power of two
  bool columns = false;
  bool subgroups = false;  // take the shader that was compiled with SUBGROUPS

  // For items of `count` elements that are contiguous. `long_groups`: an item may have up to 1024
  // lanes, which is worth it where they keep its elements.
  static LanePlan ForRows(const Capabilities& capabilities, int64_t count,
                          bool long_groups = false);
  // For items of `count` elements, where element i of `adjacent` items are contiguous.
  static LanePlan ForColumns(const Capabilities& capabilities, int64_t count, int64_t adjacent);
  // For lines along an axis.
  static LanePlan ForLines(const Capabilities& capabilities, const AxisGeometry& axis);

  uint32_t items() const { return group / lanes; }
  // For a dispatch of so many items, each in `parts` parts (gl_WorkGroupID.z).
  std::array<uint32_t, 3> Grid(int64_t items, int64_t parts = 1) const;
  // RESOURCE_EXHAUSTED if lines of `count` elements, walked whole, are longer than the loops of the
  // device's shaders (loop_limit.h).
  absl::Status CheckLines(const Capabilities& capabilities, absl::string_view op,
                          int64_t count) const;
  // In how many parts items of `count` elements are best cut, so that few long ones occupy a device,
  // and no loop is too long; no part is empty.
  int64_t PartsFor(const Capabilities& capabilities, int64_t items, int64_t count) const;
  // "256 lanes by subgroups".
  std::string ToString() const;
};

// The push constants of shaders/line.glsl.
struct LineConstants {
  LineConstants() = default;
  explicit LineConstants(const AxisGeometry& axis)
      : lines(static_cast<uint32_t>(axis.outer * axis.inner)),
        size(static_cast<uint32_t>(axis.size)),
        inner(static_cast<uint32_t>(axis.inner)) {}
  uint32_t lines = 0;
  uint32_t size = 0;
  uint32_t inner = 1;
};

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_REDUCTION_LANE_PLAN_H_
