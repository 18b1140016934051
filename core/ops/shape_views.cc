#include "tandem/core/ops/shape_views.h"

#include "absl/container/inlined_vector.h"

namespace tandem {

std::optional<TensorLayout> ReshapedLayout(const TensorLayout& input, const Shape& shape) {
  TensorLayout result{{input.spec.dtype, shape}, ContiguousStrides(shape), input.offset};
  // Without elements, or with one, every stride is right.
  if (input.spec.shape.num_elements() <= 1) return result;

  // Walks both shapes from the last dimension: the shortest runs of dimensions with equal products
  // correspond. In such a run, the input's dimensions must form one block with a single stride.
  int from = input.spec.shape.rank() - 1;
  int to = shape.rank() - 1;
  while (from >= 0 && to >= 0) {
    if (input.spec.shape[from] == 1) {
      --from;
      continue;
    }
    int64_t in_block = input.spec.shape[from];
    const int64_t stride = input.strides[from];
    --from;
    int64_t given = 1;  // elements of the block that have dimensions of the result
    for (;;) {
      while (to >= 0 && given < in_block) {
        result.strides[to] = stride * given;
        given *= shape[to];
        --to;
      }
      if (given == in_block) break;
      // Needs the next dimension, too.
      while (from >= 0 && input.spec.shape[from] == 1) --from;
      if (from < 0 || input.strides[from] != stride * in_block) return std::nullopt;
      in_block *= input.spec.shape[from];
      --from;
    }
  }
  // What is left on the result's side are dimensions of size 1, whose strides do not matter.
  return result;
}

TensorLayout TransposedLayout(const TensorLayout& input, const Dims& permutation) {
  TensorLayout result = input;
  for (int i = 0; i < permutation.rank(); ++i) {
    result.spec.shape[i] = input.spec.shape[static_cast<int>(permutation[i])];
    result.strides[i] = input.strides[static_cast<int>(permutation[i])];
  }
  return result;
}

TensorLayout SlicedLayout(const TensorLayout& input, const SliceGeometry& slice) {
  TensorLayout result = input;
  result.spec.shape = slice.size;
  // An empty slice has no first element to point at.
  const bool empty = slice.size.num_elements() == 0;
  for (int i = 0; i < slice.size.rank(); ++i) {
    if (!empty) result.offset += slice.begin[i] * input.strides[i];
    result.strides[i] = slice.stride[i] * input.strides[i];
  }
  return result;
}

TensorLayout BroadcastLayout(const TensorLayout& input, const Shape& shape) {
  TensorLayout result{{input.spec.dtype, shape}, Strides::Filled(shape.rank(), 0), input.offset};
  const int leading = shape.rank() - input.spec.shape.rank();
  for (int i = leading; i < shape.rank(); ++i) {
    if (input.spec.shape[i - leading] == shape[i]) result.strides[i] = input.strides[i - leading];
  }
  return result;
}

}  // namespace tandem
