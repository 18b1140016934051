#include "tandem/core/op/window.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

std::string ListText(const std::vector<int64_t>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ","), "]");
}

// The attribute `name`: one number for the height and one for the width, both >= 1.
absl::Status ReadPair(const AttributeMap& attrs, absl::string_view name, int64_t* height,
                      int64_t* width) {
  const std::vector<int64_t>& values = attrs.Ints(name);
  if (values.size() != 2 || values[0] < 1 || values[1] < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be [height,width], both at least 1, not ", ListText(values)));
  }
  *height = values[0];
  *width = values[1];
  return absl::OkStatus();
}

absl::Status ReadPadding(const AttributeMap& attrs, WindowAxis* height, WindowAxis* width) {
  const std::vector<int64_t>& values = attrs.Ints("padding");
  const bool negative = std::any_of(values.begin(), values.end(), [](int64_t v) { return v < 0; });
  if ((values.size() != 2 && values.size() != 4) || negative) {
    return absl::InvalidArgumentError(absl::StrCat(
        "padding must be [height,width] or [top,left,bottom,right], none negative, not ",
        ListText(values)));
  }
  height->pad_before = values[0];
  width->pad_before = values[1];
  height->pad_after = values.size() == 4 ? values[2] : values[0];
  width->pad_after = values.size() == 4 ? values[3] : values[1];
  return absl::OkStatus();
}

// Fills in axis->output, and bounds the stride and the dilation.
absl::Status CountWindows(absl::string_view name, bool ceil_mode, WindowAxis* axis) {
  TANDEM_ASSIGN_OR_RETURN(const int64_t pads, CheckedAdd(axis->pad_before, axis->pad_after));
  TANDEM_ASSIGN_OR_RETURN(const int64_t padded, CheckedAdd(axis->input, pads));
  TANDEM_ASSIGN_OR_RETURN(const int64_t reach, CheckedMul(axis->dilation, axis->kernel - 1));
  TANDEM_ASSIGN_OR_RETURN(const int64_t extent, CheckedAdd(reach, 1));
  if (extent > padded) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the kernel's ", name, " of ", extent,
        axis->dilation > 1
            ? absl::StrCat(" (", axis->kernel, " taps, dilation ", axis->dilation, ")")
            : "",
        " is larger than the input's ", name, " of ", axis->input, " with padding ",
        axis->pad_before, " and ", axis->pad_after, "; use a smaller kernel or more padding"));
  }
  // A longer step than the padded axis leads to the same single window, and a lone tap has no
  // distance to another: with these no device has to think of huge numbers.
  axis->stride = std::min(axis->stride, padded);
  if (axis->kernel == 1) axis->dilation = 1;
  const int64_t steps = padded - extent;
  axis->output = (ceil_mode ? DivideRoundUp(steps, axis->stride) : steps / axis->stride) + 1;
  // steps < padded, so (output - 1) * stride < padded + stride: rounding up is all that may exceed.
  int64_t last_begin;
  if (ceil_mode && (__builtin_mul_overflow(axis->output - 1, axis->stride, &last_begin) ||
                    last_begin >= axis->input + axis->pad_before)) {
    --axis->output;
  }
  return absl::OkStatus();
}

absl::Status CheckImage(const Shape& input) {
  TANDEM_RETURN_IF_ERROR(input.Validate());
  if (input.rank() != 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("the input must have rank 4 (batch, channels, height, width), not ",
                     input.rank(), "; add the missing axes with expand_dims"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Conv2dGeometry> Conv2dGeometry::Create(const Shape& input, const Shape& weight,
                                                      const AttributeMap& attrs) {
  TANDEM_RETURN_IF_ERROR(CheckImage(input));
  TANDEM_RETURN_IF_ERROR(weight.Validate());
  if (weight.rank() != 4) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the weight must have rank 4 (out_channels, in_channels / groups, height, width), not ",
        weight.rank()));
  }
  Conv2dGeometry g;
  g.batch = input[0];
  g.in_channels = input[1];
  g.out_channels = weight[0];
  g.groups = attrs.Int("groups");
  if (g.groups < 1 || g.in_channels % g.groups != 0 || g.out_channels % g.groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "groups must be at least 1 and divide the ", g.in_channels, " input channels and the ",
        g.out_channels, " output channels; it is ", g.groups));
  }
  if (weight[1] != g.in_channels / g.groups) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the weight's dimension 1 is ", weight[1], " and must be in_channels / groups = ",
        g.in_channels, " / ", g.groups, " = ", g.in_channels / g.groups,
        "; the weight's layout is [out_channels, in_channels / groups, height, width]"));
  }
  g.height.input = input[2];
  g.width.input = input[3];
  g.height.kernel = weight[2];
  g.width.kernel = weight[3];
  if (g.height.kernel < 1 || g.width.kernel < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the kernel must not be empty, it is ", weight[2], "x", weight[3]));
  }
  TANDEM_RETURN_IF_ERROR(ReadPair(attrs, "strides", &g.height.stride, &g.width.stride));
  TANDEM_RETURN_IF_ERROR(ReadPair(attrs, "dilation", &g.height.dilation, &g.width.dilation));
  TANDEM_RETURN_IF_ERROR(ReadPadding(attrs, &g.height, &g.width));
  TANDEM_RETURN_IF_ERROR(CountWindows("height", /*ceil_mode=*/false, &g.height));
  TANDEM_RETURN_IF_ERROR(CountWindows("width", /*ceil_mode=*/false, &g.width));
  return g;
}

absl::StatusOr<Pool2dGeometry> Pool2dGeometry::Create(const Shape& input,
                                                      const AttributeMap& attrs) {
  TANDEM_RETURN_IF_ERROR(CheckImage(input));
  Pool2dGeometry g;
  g.batch = input[0];
  g.channels = input[1];
  g.height.input = input[2];
  g.width.input = input[3];
  if (g.height.input < 1 || g.width.input < 1) {
    return absl::InvalidArgumentError(absl::StrCat("cannot pool an empty image of ", input[2], "x",
                                                   input[3],
                                                   "; height and width must be at least 1"));
  }
  TANDEM_RETURN_IF_ERROR(ReadPair(attrs, "kernel", &g.height.kernel, &g.width.kernel));
  if (attrs.Ints("strides").empty()) {
    g.height.stride = g.height.kernel;
    g.width.stride = g.width.kernel;
  } else {
    TANDEM_RETURN_IF_ERROR(ReadPair(attrs, "strides", &g.height.stride, &g.width.stride));
  }
  TANDEM_RETURN_IF_ERROR(ReadPadding(attrs, &g.height, &g.width));
  for (const WindowAxis* axis : {&g.height, &g.width}) {
    const int64_t padding = std::max(axis->pad_before, axis->pad_after);
    if (padding >= axis->kernel) {
      return absl::InvalidArgumentError(absl::StrCat(
          "padding must be smaller than the kernel, or a window would hold nothing but "
          "padding; padding is ",
          padding, ", the kernel's ", axis == &g.height ? "height " : "width ", axis->kernel));
    }
  }
  const bool ceil_mode = attrs.Bool("ceil_mode");
  TANDEM_RETURN_IF_ERROR(CountWindows("height", ceil_mode, &g.height));
  TANDEM_RETURN_IF_ERROR(CountWindows("width", ceil_mode, &g.width));
  g.count_include_pad =
      attrs.schema().Find("count_include_pad") >= 0 && attrs.Bool("count_include_pad");
  return g;
}

}  // namespace tandem
