#include "tandem/core/op/reduction_geometry.h"

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {

absl::StatusOr<ReductionGeometry> ReductionGeometry::Create(const Shape& input,
                                                            absl::Span<const int64_t> axes,
                                                            bool keepdims) {
  TANDEM_RETURN_IF_ERROR(input.Validate());
  ReductionGeometry g;
  for (int i = 0; i < input.rank(); ++i) g.reduced[i] = axes.empty();
  for (int64_t axis : axes) {
    TANDEM_ASSIGN_OR_RETURN(const int normalized, NormalizeAxis(axis, input.rank()));
    if (g.reduced[normalized]) {
      return absl::InvalidArgumentError(
          absl::StrCat("axis ", normalized, " is named twice; each axis is reduced once"));
    }
    g.reduced[normalized] = true;
  }
  Shape reduced_dims;
  for (int i = 0; i < input.rank(); ++i) {
    g.kept.push_back(g.reduced[i] ? 1 : input[i]);
    if (g.reduced[i]) reduced_dims.push_back(input[i]);
    if (keepdims || !g.reduced[i]) g.output.push_back(g.kept[i]);
    if (input[i] == 1) continue;
    if (!g.runs.empty() && g.runs.back().reduced == g.reduced[i]) {
      g.runs.back().size *= input[i];
    } else {
      g.runs.push_back({input[i], g.reduced[i]});
    }
  }
  g.count = reduced_dims.num_elements();
  return g;
}

absl::StatusOr<AxisGeometry> AxisGeometry::Create(const Shape& input, int64_t axis) {
  TANDEM_RETURN_IF_ERROR(input.Validate());
  AxisGeometry g;
  TANDEM_ASSIGN_OR_RETURN(g.axis, NormalizeAxis(axis, input.rank()));
  g.outer = Shape(input.span().subspan(0, g.axis)).num_elements();
  g.size = input[g.axis];
  g.inner = Shape(input.span().subspan(g.axis + 1)).num_elements();
  return g;
}

}  // namespace tandem
