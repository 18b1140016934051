// InputRange: the part of a buffer that a tensor covers, and how it lies there.
//
// A compiled program takes an input as it lies: a transposed tensor is not copied, and a kernel sees
// the strides that it would see in eager mode, which is why both give the same bits. A contiguous
// tensor is bound from its first element; any other from the last aligned byte before its first one.
//
//   InputRange range = InputRange::Of(tensor.layout(), device.info().alignment);
//   BufferView::Of(*tensor.buffer(), range.start, range.bytes);
//
// Thread rules: a value type.
#ifndef TANDEM_GRAPH_EXEC_INPUT_RANGE_H_
#define TANDEM_GRAPH_EXEC_INPUT_RANGE_H_

#include <algorithm>
#include <cstdint>

#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

struct InputRange {
  TensorLayout layout;  // from `start` on
  int64_t start = 0;    // bytes
  int64_t bytes = 0;
  // False: `start` is not aligned (contiguous tensors only); bind a copy.
  bool aligned = true;

  static InputRange Contiguous(const TensorSpec& spec) {
    return {TensorLayout::Contiguous(spec), 0, spec.num_bytes(), true};
  }
  // `layout` is that of a tensor, so its elements are inside of a buffer and nothing overflows.
  static InputRange Of(const TensorLayout& layout, int64_t alignment) {
    const int64_t size = DTypeSize(layout.spec.dtype);
    if (layout.is_contiguous()) {
      InputRange range = Contiguous(layout.spec);
      range.start = layout.offset * size;
      range.aligned = range.start % alignment == 0;
      return range;
    }
    int64_t low = layout.offset;
    int64_t high = layout.offset;
    for (int i = 0; i < layout.spec.shape.rank(); ++i) {
      const int64_t reach = (layout.spec.shape[i] - 1) * layout.strides[i];
      low += std::min<int64_t>(reach, 0);
      high += std::max<int64_t>(reach, 0);
    }
    InputRange range{layout, low * size / alignment * alignment, 0, true};
    range.layout.offset -= range.start / size;
    range.bytes = (high + 1) * size - range.start;
    return range;
  }
};

}  // namespace tandem

#endif  // TANDEM_GRAPH_EXEC_INPUT_RANGE_H_
