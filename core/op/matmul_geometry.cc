#include "tandem/core/op/matmul_geometry.h"

#include "absl/strings/str_cat.h"
#include "tandem/core/base/status_macros.h"

namespace tandem {
namespace {

Shape BatchOf(const Shape& shape) {
  const int rank = shape.rank();
  return rank <= 2 ? Shape() : Shape(shape.span().subspan(0, rank - 2));
}

// Strides of an operand's matrices along the broadcast batch.
Strides BatchStrides(const Shape& operand, const Shape& batch) {
  Strides strides = Strides::Filled(batch.rank(), 0);
  if (operand.rank() <= 2) return strides;
  const Strides contiguous = ContiguousStrides(operand);
  const int operand_batch_rank = operand.rank() - 2;
  const int leading = batch.rank() - operand_batch_rank;
  for (int i = 0; i < operand_batch_rank; ++i) {
    if (operand[i] != 1) strides[leading + i] = contiguous[i];
  }
  return strides;
}

}  // namespace

absl::StatusOr<MatmulGeometry> MatmulGeometry::Create(const Shape& a, const Shape& b,
                                                      bool transpose_a, bool transpose_b) {
  TANDEM_RETURN_IF_ERROR(a.Validate());
  TANDEM_RETURN_IF_ERROR(b.Validate());
  if (a.rank() == 0 || b.rank() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a scalar has no axis to sum over, the ranks are ", a.rank(), " and ",
                     b.rank(), "; multiply by a scalar with mul"));
  }
  MatmulGeometry g;
  g.a_is_vector = a.rank() == 1;
  g.b_is_vector = b.rank() == 1;
  g.transpose_a = transpose_a && !g.a_is_vector;
  g.transpose_b = transpose_b && !g.b_is_vector;

  const int64_t a_rows = g.a_is_vector ? 1 : a[a.rank() - 2];
  const int64_t a_columns = a.back();
  const int64_t b_rows = g.b_is_vector ? b[0] : b[b.rank() - 2];
  const int64_t b_columns = g.b_is_vector ? 1 : b.back();
  g.m = g.transpose_a ? a_columns : a_rows;
  g.k = g.transpose_a ? a_rows : a_columns;
  g.n = g.transpose_b ? b_rows : b_columns;
  const int64_t b_k = g.transpose_b ? b_columns : b_rows;
  if (g.k != b_k) {
    const int64_t a_other = g.transpose_a ? a_columns : a_rows;
    const bool flip = !g.b_is_vector && !g.transpose_b && g.k == b_columns;
    const bool flip_a = !g.a_is_vector && !g.transpose_a && a_other == b_k;
    return absl::InvalidArgumentError(absl::StrCat(
        "the inner dimensions must be equal, they are ", g.k, " (",
        g.transpose_a ? "rows of a, transposed" : "last axis of a", ") and ", b_k, " (",
        g.transpose_b   ? "columns of b, transposed"
        : g.b_is_vector ? "size of b"
                        : "rows of b",
        ")",
        flip     ? "; transpose_b=true would fit"
        : flip_a ? "; transpose_a=true would fit"
                 : ""));
  }
  auto batch = BroadcastShapes(BatchOf(a), BatchOf(b));
  if (!batch.ok()) return Annotate(batch.status(), "the batches must broadcast");
  g.batch = *batch;
  g.num_batches = g.batch.num_elements();
  g.a_batch_strides = BatchStrides(a, g.batch);
  g.b_batch_strides = BatchStrides(b, g.batch);

  g.output = g.batch;
  if (!g.a_is_vector) g.output.push_back(g.m);
  if (!g.b_is_vector) g.output.push_back(g.n);
  TANDEM_RETURN_IF_ERROR(g.output.Validate());
  return g;
}

}  // namespace tandem
