// TM x TN sums a work group, its threads along k. See contraction.glsl.
//
// For few elements with long sums, where both operands lie along k: a dense layer's weight
// [outputs, inputs] against a few rows, the gradient of a depthwise weight. Each element of the
// weight is read once, coalesced. The threads' sums are added in a tree of fixed shape in shared
// memory, or, with SUBGROUPS, by subgroups first, of whatever size they have.

#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint THREADS = 64;  // a power of two
layout(constant_id = 1) const uint TM = 1;
layout(constant_id = 2) const uint TN = 4;

shared T partial_sums[TM * TN * THREADS];

void main() {
  uint row_block, column_block, first, last;
  if (!SelectBlock(DivideUp(Rows(), TM), DivideUp(Columns(), TN), row_block, column_block, first,
                   last)) {
    return;
  }
  const uint thread = gl_LocalInvocationIndex;
  const uint row0 = row_block * TM;
  const uint column0 = column_block * TN;
  // Rows and columns behind the last are read again as the last, and not stored.
  RowPlace rows[TM];
  [[unroll]] for (uint i = 0; i < TM; ++i) rows[i] = RowAt(min(row0 + i, Rows() - 1u));
  ColumnPlace columns[TN];
  [[unroll]] for (uint j = 0; j < TN; ++j) columns[j] = ColumnAt(min(column0 + j, Columns() - 1u));
  T sums[TM * TN];
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = ZERO;
  for (uint k = first + thread; k < last; k += THREADS) {
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

#ifdef SUBGROUPS
  const uint count = gl_NumSubgroups;
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) {
    const T sum = subgroupAdd(sums[i]);
    if (subgroupElect()) partial_sums[i * THREADS + gl_SubgroupID] = sum;
  }
  barrier();
#else
  const uint count = 1u;
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) partial_sums[i * THREADS + thread] = sums[i];
  for (uint half_size = THREADS / 2u; half_size > 0u; half_size /= 2u) {
    barrier();
    if (thread < half_size) {
      [[unroll]] for (uint i = 0; i < TM * TN; ++i) {
        partial_sums[i * THREADS + thread] += partial_sums[i * THREADS + thread + half_size];
      }
    }
  }
  barrier();
#endif
  for (uint i = thread; i < TM * TN; i += THREADS) {
    T sum = partial_sums[i * THREADS];
    for (uint s = 1u; s < count; ++s) sum += partial_sums[i * THREADS + s];
    const uint row = row0 + i / TN;
    const uint column = column0 + i % TN;
    if (row < Rows() && column < Columns()) Put(row, column, sum);
  }
}
