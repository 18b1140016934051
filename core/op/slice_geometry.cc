#include "tandem/core/op/slice_geometry.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tandem {

absl::StatusOr<SliceGeometry> SliceGeometry::Create(const Shape& input,
                                                    absl::Span<const int64_t> begin,
                                                    absl::Span<const int64_t> end,
                                                    absl::Span<const int64_t> strides) {
  if (begin.size() != end.size() || (!strides.empty() && strides.size() != begin.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("begin, end and strides differ in length: ", begin.size(), ", ", end.size(),
                     " and ", strides.size()));
  }
  if (begin.size() > static_cast<size_t>(input.rank())) {
    return absl::InvalidArgumentError(
        absl::StrCat("slices ", begin.size(), " axes of shape ", input.ToString()));
  }
  SliceGeometry result;
  result.begin = Dims::Filled(input.rank(), 0);
  result.stride = Strides::Filled(input.rank(), 1);
  result.size = input;
  for (int i = 0; i < static_cast<int>(begin.size()); ++i) {
    const int64_t n = input[i];
    // A longer step takes the same one element; cut, it can be negated and multiplied.
    const int64_t largest = std::max<int64_t>(n, 1);
    const int64_t step = strides.empty() ? 1 : std::clamp(strides[i], -largest, largest);
    if (step == 0) {
      return absl::InvalidArgumentError(absl::StrCat("the stride of axis ", i, " is 0"));
    }
    // Where an index that is out of range lands.
    const int64_t lowest = step > 0 ? 0 : -1;
    const int64_t highest = step > 0 ? n : n - 1;
    const auto cut = [&](int64_t index) {
      return std::clamp(index < 0 ? index + n : index, lowest, highest);
    };
    const int64_t first = cut(begin[i]);
    const int64_t last = cut(end[i]);
    const int64_t distance = step > 0 ? last - first : first - last;
    result.size[i] = distance > 0 ? (distance - 1) / std::abs(step) + 1 : 0;
    result.begin[i] = distance > 0 ? first : 0;
    result.stride[i] = step;
  }
  return result;
}

}  // namespace tandem
