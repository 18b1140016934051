#include "tandem/backends/vulkan/elementwise/elementwise_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tandem/backends/vulkan/shaders/fast_divide.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::vulkan_backend {
namespace {

// An input stepped over in the output's dimensions.
struct Walk {
  int64_t steps[kMaxRank];  // elements; 0 where the input is broadcast
  InputAccess access = InputAccess::kFlat;
};

absl::StatusOr<Walk> WalkOf(absl::string_view name, const TensorLayout& input, const Shape& shape) {
  const Shape& own = input.spec.shape;
  const int added = shape.rank() - own.rank();
  bool fits = added >= 0;
  for (int d = 0; fits && d < own.rank(); ++d) {
    fits = own[d] == shape[d + added] || own[d] == 1;
  }
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": an input of shape ", own.ToString(),
                                                   " does not broadcast to the output's ",
                                                   shape.ToString()));
  }
  Walk walk;
  bool uniform = true, contiguous = true;
  int64_t expected = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    const int k = d - added;
    const bool broadcast = k < 0 || own[k] != shape[d] || shape[d] == 1;
    walk.steps[d] = broadcast ? 0 : input.strides[k];
    if (shape[d] == 1) continue;
    uniform &= walk.steps[d] == 0;
    contiguous &= walk.steps[d] == expected;
    expected *= shape[d];
  }
  walk.access = contiguous ? InputAccess::kFlat
                : uniform  ? InputAccess::kUniform
                           : InputAccess::kStrided;
  return walk;
}

// The first and the last element that is read, from the start of the view.
struct Extent {
  int64_t first = 0, last = 0;
};

Extent ExtentOf(const TensorLayout& input, const Walk& walk, const Shape& shape) {
  Extent extent{input.offset, input.offset};
  for (int d = 0; d < shape.rank(); ++d) {
    const int64_t reach = walk.steps[d] * (shape[d] - 1);
    (reach < 0 ? extent.first : extent.last) += reach;
  }
  return extent;
}

// Dimensions that strided inputs are walked in, outermost first.
struct Dimensions {
  int rank = 0;
  int64_t sizes[kMaxRank];
  int sources[kMaxRank];  // the output's dimension that has the steps
};

Dimensions JoinDimensions(absl::Span<const Walk> walks, const Shape& shape) {
  Dimensions joined;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == 1) continue;
    bool joins = joined.rank > 0;
    for (const Walk& walk : walks) {
      if (walk.access != InputAccess::kStrided || !joins) continue;
      joins = walk.steps[joined.sources[joined.rank - 1]] == walk.steps[d] * shape[d];
    }
    if (joins) {
      joined.sizes[joined.rank - 1] *= shape[d];
      joined.sources[joined.rank - 1] = d;
    } else {
      joined.sizes[joined.rank] = shape[d];
      joined.sources[joined.rank++] = d;
    }
  }
  return joined;
}

absl::Status TooLarge(absl::string_view name, const TensorSpec& spec, absl::string_view rule) {
  return absl::ResourceExhaustedError(absl::StrCat(
      name, ": ", spec.ToString(), " is too large for this device: ", rule, "; split the tensor"));
}

}  // namespace

absl::StatusOr<ElementwisePlan> PlanElementwise(absl::string_view name,
                                                absl::Span<const TensorLayout> inputs,
                                                absl::Span<const TensorLayout> outputs,
                                                const Capabilities& capabilities, int width) {
  ElementwisePlan plan;
  ElementwiseVariant& variant = plan.variant;
  const Shape& shape = outputs[0].spec.shape;
  const int64_t n = shape.num_elements();
  if (n > kMaxElementwise) return TooLarge(name, outputs[0].spec, "2^31 elements");
  for (const TensorLayout& output : outputs) {
    if (n * DTypeSize(output.spec.dtype) > capabilities.max_storage_range) {
      return TooLarge(name, output.spec,
                      absl::StrCat("it binds ", capabilities.max_storage_range, " bytes"));
    }
  }
  variant.width = width != 0 ? width : 4;
  variant.trigonometry_in_f64 = capabilities.float64;
  variant.keeps_nan = capabilities.keeps_nan;
  variant.keeps_denormals = capabilities.keeps_denormals;

  absl::InlinedVector<Walk, 4> walks;
  bool strided = false;
  plan.parameters.push_back(static_cast<uint32_t>(n));
  for (const TensorLayout& input : inputs) {
    TANDEM_ASSIGN_OR_RETURN(Walk walk, WalkOf(name, input, shape));
    const int64_t bytes = DTypeSize(input.spec.dtype);
    ElementwisePlan::Range range;
    int64_t first = 0;
    if (n > 0) {
      // A binding starts at an aligned offset, and where a vector of four elements would.
      const int64_t aligned =
          std::max<int64_t>(capabilities.storage_alignment / bytes, 4);  // powers of 2
      const Extent extent = ExtentOf(input, walk, shape);
      const int64_t base = extent.first / aligned * aligned;
      range = {base * bytes, (extent.last + 1 - base) * bytes};
      first = input.offset - base;
      if (range.size > capabilities.max_storage_range || extent.last - base > kMaxElementwise) {
        return TooLarge(
            name, input.spec,
            absl::StrCat("what it spans exceeds ", capabilities.max_storage_range, " bytes"));
      }
    }
    if (walk.access == InputAccess::kFlat && variant.width == 4 && first % 4 == 0) {
      walk.access = InputAccess::kVector;
    }
    strided |= walk.access == InputAccess::kStrided;
    plan.parameters.push_back(static_cast<uint32_t>(first));
    plan.inputs.push_back(range);
    variant.inputs.push_back(walk.access);
    walks.push_back(walk);
  }
  if (strided) {
    Dimensions dims = JoinDimensions(walks, shape);
    variant.rank = dims.rank;
    int64_t& innermost = dims.sizes[dims.rank - 1];
    variant.whole_vectors = variant.width == 4 && innermost % 4 == 0;
    if (variant.whole_vectors) innermost /= 4;
    for (int d = 1; d < dims.rank; ++d) {
      const FastDivisor divisor(dims.sizes[d]);
      plan.parameters.insert(plan.parameters.end(),
                             {divisor.divisor, divisor.multiplier, divisor.shift});
    }
    for (const Walk& walk : walks) {
      if (walk.access != InputAccess::kStrided) continue;
      for (int d = 0; d < dims.rank; ++d) {
        // Modulo 2^32, as the shader's sum.
        plan.parameters.push_back(static_cast<uint32_t>(walk.steps[dims.sources[d]]));
      }
    }
  }
  variant.parameter_buffer = plan.parameters.size() * sizeof(uint32_t) > kMaxPushConstants;
  const int64_t invocations = (n + variant.width - 1) / variant.width;
  plan.groups = (invocations + kElementwiseGroup - 1) / kElementwiseGroup;
  return plan;
}

}  // namespace tandem::vulkan_backend
