// TM x TN sums a thread, straight from memory: the threads of a work group lie along the columns and
// read the same rows at the same time. See contraction.glsl.
//
// For few rows (a column's elements are read once, coalesced, and the rows come from the cache), for
// short sums, and for drivers that run on a CPU, where shared memory gains nothing. SLICES > 1 gives
// each column to several threads that sum every SLICES-th step; their sums are added in order.
//
// With PAIRS, two steps at a time, the right operand's elements of both in one load, where SLICES is 1
// and the sum's length even: void RightPair(RightStep, ColumnPlace, out T first, out T second).

layout(local_size_x_id = 0, local_size_y_id = 1) in;
layout(constant_id = 0) const uint THREADS = 64;  // along the columns
layout(constant_id = 1) const uint SLICES = 1;
layout(constant_id = 2) const uint TM = 4;
layout(constant_id = 3) const uint TN = 1;

shared T slice_sums[SLICES > 1u ? THREADS * SLICES : 1u];

void main() {
  uint row_block, column_block, first, last;
  if (!SelectBlock(DivideUp(Rows(), TM), DivideUp(Columns(), THREADS * TN), row_block, column_block,
                   first, last)) {
    return;
  }
  const uint row0 = row_block * TM;
  const uint column0 = column_block * THREADS * TN + gl_LocalInvocationID.x;
  const uint slice = SLICES > 1u ? gl_LocalInvocationID.y : 0u;

  // Rows and columns behind the last are read again as the last, and not stored.
  RowPlace rows[TM];
  [[unroll]] for (uint i = 0; i < TM; ++i) rows[i] = RowAt(min(row0 + i, Rows() - 1u));
  ColumnPlace columns[TN];
  [[unroll]] for (uint j = 0; j < TN; ++j) {
    columns[j] = ColumnAt(min(column0 + j * THREADS, Columns() - 1u));
  }
  T sums[TM * TN];
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = ZERO;
#ifdef PAIRS
  for (uint k = first; k < last; k += 2u) {
    T right[2 * TN];
    const RightStep right_step = RightAt(k);
    [[unroll]] for (uint j = 0; j < TN; ++j) {
      RightPair(right_step, columns[j], right[2 * j], right[2 * j + 1]);
    }
    [[unroll]] for (uint s = 0; s < 2; ++s) {
      const LeftStep left_step = LeftAt(k + s);
      [[unroll]] for (uint i = 0; i < TM; ++i) {
        const T left = Left(rows[i], left_step);
        [[unroll]] for (uint j = 0; j < TN; ++j) {
          sums[i * TN + j] = MULTIPLY_ADD(left, right[2 * j + s], sums[i * TN + j]);
        }
      }
    }
  }
#else
  for (uint k = first + slice; k < last; k += SLICES) {
    const LeftStep left_step = LeftAt(k);
    const RightStep right_step = RightAt(k);
    T right[TN];
    [[unroll]] for (uint j = 0; j < TN; ++j) right[j] = Right(right_step, columns[j]);
    [[unroll]] for (uint i = 0; i < TM; ++i) {
      const T left = Left(rows[i], left_step);
      [[unroll]] for (uint j = 0; j < TN; ++j) {
        sums[i * TN + j] = MULTIPLY_ADD(left, right[j], sums[i * TN + j]);
      }
    }
  }
#endif

  [[unroll]] for (uint i = 0; i < TM; ++i) {
    [[unroll]] for (uint j = 0; j < TN; ++j) {
      T sum = sums[i * TN + j];
      if (SLICES > 1u) {
        slice_sums[slice * THREADS + gl_LocalInvocationID.x] = sum;
        barrier();
        if (slice == 0u) {
          for (uint s = 1u; s < SLICES; ++s) {
            sum += slice_sums[s * THREADS + gl_LocalInvocationID.x];
          }
        }
        barrier();
      }
      if (slice == 0u && row0 + i < Rows() && column0 + j * THREADS < Columns()) {
        Put(row0 + i, column0 + j * THREADS, sum);
      }
    }
  }
}
