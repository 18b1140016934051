// The shape that reshape's codes mean for an input.
//
//   ResolveReshape({2, 3, 4}, {0, -1}, false);        // [2,12]
//   ResolveReshape({2, 3, 4}, {-3, 0}, false);        // [6,4]
//   ResolveReshape({6, 4}, {-4, -1, 2, 0}, false);    // [3,2,4]
//
// Codes are read from the left, with a position in the input's dimensions that moves on:
//
//   n > 0  a dimension of n; passes one dimension of the input
//   0      copies the dimension at the position, and passes it
//   -1     infers the dimension from the number of elements; passes one. At most one such code.
//   -2     copies all dimensions from the position on
//   -3     the product of the next two dimensions
//   -4     splits the next dimension into the two numbers that follow, one of which may be -1
//
// These are MXNet's (mxnet.ndarray.reshape). One case is added: an inferred dimension is the number
// of elements that no code has copied, so [0,16,4] with (0,-1) gives [0,64].
//
// Thread rules: a pure function.
#ifndef TANDEM_CORE_OPS_RESHAPE_CODES_H_
#define TANDEM_CORE_OPS_RESHAPE_CODES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/core/tensor/shape.h"

namespace tandem {

// With `allow_zero`, 0 is a dimension of size zero, as with ONNX's attribute allowzero.
// INVALID_ARGUMENT names the code that does not fit, and both shapes.
absl::StatusOr<Shape> ResolveReshape(const Shape& input, absl::Span<const int64_t> codes,
                                     bool allow_zero);

}  // namespace tandem

#endif  // TANDEM_CORE_OPS_RESHAPE_CODES_H_
