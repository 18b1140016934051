// What begin, end and strides select of each axis, by Python's rules.
//
// Inference, views and the kernels of every device read the same struct.
//
//   TANDEM_ASSIGN_OR_RETURN(SliceGeometry g, SliceGeometry::Create({10, 3}, {-1}, {-11}, {-2}));
//   g.begin;   // [9,0]
//   g.stride;  // [-2,1]
//   g.size;    // [5,3]: rows 9, 7, 5, 3, 1
//
// Negative indices count from the end, and indices out of range are cut to it, so INT64_MAX and
// INT64_MIN mean "to the end" for positive and negative strides. Axes that are not named are taken
// whole.
// Errors: INVALID_ARGUMENT for lists of different lengths, too many axes, a stride of 0.
// Thread rules: value types, pure functions.
#ifndef TANDEM_CORE_OP_SLICE_GEOMETRY_H_
#define TANDEM_CORE_OP_SLICE_GEOMETRY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/tensor/shape.h"

namespace tandem {

struct SliceGeometry {
  Dims begin;      // the first index taken, for each axis; 0 where nothing is
  Strides stride;  // indices to step; |stride| <= max(1, size of the input)
  Shape size;      // how many are taken

  // `strides` may be empty: all 1.
  static absl::StatusOr<SliceGeometry> Create(const Shape& input, absl::Span<const int64_t> begin,
                                              absl::Span<const int64_t> end,
                                              absl::Span<const int64_t> strides);
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_SLICE_GEOMETRY_H_
