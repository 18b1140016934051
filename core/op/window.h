// Windows that slide over images: what convolution and pooling attributes mean, in one place.
//
// Inference (core/ops) and the kernels of every device read the same struct, so no device can
// disagree about padding, dilation, groups or rounding, and every size in it was checked.
//
//   TANDEM_ASSIGN_OR_RETURN(Conv2dGeometry g, Conv2dGeometry::Create(x.shape, weight.shape,
//   attrs)); for (int64_t oh = 0; oh < g.height.output; ++oh) {
//     for (int64_t kh = 0; kh < g.height.kernel; ++kh) {
//       const int64_t ih = g.height.Position(oh, kh);
//       if (ih < 0 || ih >= g.height.input) continue;  // padding
//
// Layouts: images are NCHW, weights [out_channels, in_channels / groups, kernel_h, kernel_w].
// Errors: INVALID_ARGUMENT says the rule with its numbers, RESOURCE_EXHAUSTED that a size
// overflows. Thread rules: value types, pure functions.
#ifndef TANDEM_CORE_OP_WINDOW_H_
#define TANDEM_CORE_OP_WINDOW_H_

#include <algorithm>
#include <cstdint>

#include "absl/status/statusor.h"
#include "tandem/core/op/attribute.h"
#include "tandem/core/tensor/shape.h"

namespace tandem {

// A window that slides along one axis. All sizes are in elements of the axis.
struct WindowAxis {
  int64_t input = 0;
  int64_t kernel = 1;  // taps
  int64_t stride = 1;    // at most the padded size: a longer one means the same
  int64_t dilation = 1;  // distance of two taps; 1 if there is but one
  int64_t pad_before = 0;
  int64_t pad_after = 0;
  int64_t output = 0;  // windows

  // Where tap `k` of window `o` lies in the input; outside of [0, input) it lies in the padding.
  int64_t Position(int64_t o, int64_t k) const { return o * stride - pad_before + k * dilation; }

  // The part of an undilated window `o` that lies in the input: [Begin, End). Never empty in a
  // Pool2dGeometry.
  int64_t Begin(int64_t o) const { return std::max<int64_t>(o * stride - pad_before, 0); }
  int64_t End(int64_t o) const { return std::min(o * stride - pad_before + kernel, input); }
  // The size of an undilated window `o` in the padded input: less than `kernel` where ceil_mode
  // lets the last window hang over.
  int64_t PaddedSize(int64_t o) const {
    return std::min(kernel, input + pad_before + pad_after - o * stride);
  }
};

// conv2d and its two gradients.
struct Conv2dGeometry {
  int64_t batch = 0;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t groups = 1;
  WindowAxis height;
  WindowAxis width;

  // From the shapes of the input and the weight, and the attributes strides, padding, dilation and
  // groups. The gradient ops know the one shape that is not an input's from an attribute.
  //   output = floor((input + padding - dilation * (kernel - 1) - 1) / stride) + 1
  static absl::StatusOr<Conv2dGeometry> Create(const Shape& input, const Shape& weight,
                                               const AttributeMap& attrs);

  int64_t group_in_channels() const { return in_channels / groups; }
  int64_t group_out_channels() const { return out_channels / groups; }
  Shape input_shape() const { return {batch, in_channels, height.input, width.input}; }
  Shape weight_shape() const {
    return {out_channels, group_in_channels(), height.kernel, width.kernel};
  }
  Shape output_shape() const { return {batch, out_channels, height.output, width.output}; }
};

// max_pool2d, avg_pool2d and their gradients. Every window holds at least one element of the input.
struct Pool2dGeometry {
  int64_t batch = 0;
  int64_t channels = 0;
  // avg_pool2d: divide by the padded size of the window, not by the number of its elements.
  bool count_include_pad = true;
  WindowAxis height;
  WindowAxis width;

  // From the input's shape and the attributes kernel, strides ([]: the kernel), padding and
  // ceil_mode, and count_include_pad if the op has it.
  //   output = round((input + padding - kernel) / stride) + 1, rounded down, or up with ceil_mode,
  // where a last window that would begin behind the input is dropped (as PyTorch does).
  static absl::StatusOr<Pool2dGeometry> Create(const Shape& input, const AttributeMap& attrs);

  // How many elements avg_pool2d divides window (oh, ow) by.
  int64_t Divisor(int64_t oh, int64_t ow) const {
    if (count_include_pad) return height.PaddedSize(oh) * width.PaddedSize(ow);
    return (height.End(oh) - height.Begin(oh)) * (width.End(ow) - width.Begin(ow));
  }
  Shape input_shape() const { return {batch, channels, height.input, width.input}; }
  Shape output_shape() const { return {batch, channels, height.output, width.output}; }
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_WINDOW_H_
