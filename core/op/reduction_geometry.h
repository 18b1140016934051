// What an op does to a shape along axes: reductions over several, and walks along one.
//
// Inference and the kernels of every device read the same structs.
//
//   TANDEM_ASSIGN_OR_RETURN(ReductionGeometry g, ReductionGeometry::Create(x.shape, {0, -1},
//   false)); g.output;  // [3] for x.shape [2,3,4] g.count;   // 8 elements for each result
//
//   TANDEM_ASSIGN_OR_RETURN(AxisGeometry a, AxisGeometry::Create(x.shape, 1));
//   // element i of the line (o, n) is x[(o * a.size + i) * a.inner + n]
//
// Errors: INVALID_ARGUMENT for an axis that is out of range or named twice.
// Thread rules: value types, pure functions.
#ifndef TANDEM_CORE_OP_REDUCTION_GEOMETRY_H_
#define TANDEM_CORE_OP_REDUCTION_GEOMETRY_H_

#include <array>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/tensor/shape.h"

namespace tandem {

struct ReductionGeometry {
  // Neighbouring axes that are treated alike, as one; axes of size 1 are left out.
  struct Run {
    int64_t size = 1;
    bool reduced = false;
    friend bool operator==(const Run&, const Run&) = default;
  };

  std::array<bool, kMaxRank> reduced = {};  // for each axis of the input
  int64_t count = 1;                        // elements for each result; 0 for an empty axis
  Shape output;                             // as keepdims says
  Shape kept;                               // with every reduced axis at size 1
  // Outermost first; alternating reduced and not. A contiguous input is an array of these sizes.
  absl::InlinedVector<Run, kMaxRank> runs;

  // `axes`: negative ones count from the end; [] is all axes.
  static absl::StatusOr<ReductionGeometry> Create(const Shape& input,
                                                  absl::Span<const int64_t> axes, bool keepdims);
};

// One axis of a contiguous tensor, and what lies around it.
struct AxisGeometry {
  int axis = 0;       // normalized: >= 0
  int64_t outer = 1;  // product of the dimensions before the axis
  int64_t size = 1;   // of the axis
  int64_t inner = 1;  // product of the dimensions behind the axis

  static absl::StatusOr<AxisGeometry> Create(const Shape& input, int64_t axis);
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_REDUCTION_GEOMETRY_H_
