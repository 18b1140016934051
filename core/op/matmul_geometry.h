// The shapes of a matrix product: what NumPy's matmul rule makes of two shapes and two flags.
//
// Inference and the kernels of every device read the same struct.
//
//   TANDEM_ASSIGN_OR_RETURN(MatmulGeometry g,
//                           MatmulGeometry::Create(a.shape, b.shape, transpose_a, transpose_b));
//   // `g.num_batches` products of [m,k] with [k,n]; matrix `i` of each operand is found by walking
//   // `g.batch` with g.a_batch_strides and g.b_batch_strides.
//
// The rule: the last two axes are matrices, those before them a batch that broadcasts. A vector
// (rank 1) on the left is a row, on the right a column, and the axis added for it is not in the
// result; transposing a vector leaves it as it is.
// Errors: INVALID_ARGUMENT says the rule with its numbers.
// Thread rules: a value type, pure functions.
#ifndef TANDEM_CORE_OP_MATMUL_GEOMETRY_H_
#define TANDEM_CORE_OP_MATMUL_GEOMETRY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "tandem/core/tensor/shape.h"

namespace tandem {

struct MatmulGeometry {
  int64_t m = 0;  // rows of the result
  int64_t n = 0;  // columns of the result
  int64_t k = 0;  // summed
  // True: the left matrix lies in memory as [k,m], the right one as [n,k]. Never for a vector.
  bool transpose_a = false;
  bool transpose_b = false;
  // A vector stands for a matrix of one row (a) or one column (b).
  bool a_is_vector = false;
  bool b_is_vector = false;

  Shape batch;              // broadcast; [] for one product
  int64_t num_batches = 1;  // of `batch`; 0 if one of its dimensions is
  // Elements from one matrix of a contiguous operand to the next, for each dimension of `batch`;
  // 0 where the operand is broadcast. The result's matrices follow each other, m * n apart.
  Strides a_batch_strides;
  Strides b_batch_strides;

  Shape output;  // batch, then m unless a is a vector, then n unless b is one

  static absl::StatusOr<MatmulGeometry> Create(const Shape& a, const Shape& b, bool transpose_a,
                                               bool transpose_b);
};

}  // namespace tandem

#endif  // TANDEM_CORE_OP_MATMUL_GEOMETRY_H_
