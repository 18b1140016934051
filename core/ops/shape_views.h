// Layouts of views: the same elements in memory under another shape.
//
// Thread rules: pure functions.
#ifndef TANDEM_CORE_OPS_SHAPE_VIEWS_H_
#define TANDEM_CORE_OPS_SHAPE_VIEWS_H_

#include <optional>

#include "absl/types/span.h"
#include "tandem/core/op/slice_geometry.h"
#include "tandem/core/tensor/tensor_spec.h"

namespace tandem {

// `input` with `shape`, which has as many elements, in row-major order. None if no strides can
// express that: dimensions that merge must lie one behind the other in memory.
std::optional<TensorLayout> ReshapedLayout(const TensorLayout& input, const Shape& shape);

// Axis i of the result is axis `permutation[i]` of the input.
TensorLayout TransposedLayout(const TensorLayout& input, const Dims& permutation);

TensorLayout SlicedLayout(const TensorLayout& input, const SliceGeometry& slice);

// `shape` is one that input.spec.shape broadcasts to.
TensorLayout BroadcastLayout(const TensorLayout& input, const Shape& shape);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_SHAPE_VIEWS_H_
