// Tiles of [BM, BN] outputs, both operands staged in shared memory BK deep, TM x TN sums a thread.
// See contraction.glsl. Besides what stands there, the shader defines LeftFour and RightFour, which
// fetch four elements along the axis on which they are neighbours.
//
// The next tiles are fetched into registers while the present ones are summed. Rows and columns
// behind the last are read again as the last, and not stored; steps behind the last are zeros.

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint THREADS = 64;  // (BM / TM) * (BN / TN)
layout(constant_id = 1) const uint BM = 32;
layout(constant_id = 2) const uint BN = 32;
layout(constant_id = 3) const uint BK = 16;
layout(constant_id = 4) const uint TM = 4;
layout(constant_id = 5) const uint TN = 4;
// Neighbouring threads fetch neighbours along k, not along rows (columns).
layout(constant_id = 6) const bool LEFT_ALONG_K = true;
layout(constant_id = 7) const bool RIGHT_ALONG_K = false;
// Fetches four elements along that axis at once. They lie next to each other, aligned, and none of
// the four is behind the last.
layout(constant_id = 8) const bool LEFT_BY_FOUR = false;
layout(constant_id = 9) const bool RIGHT_BY_FOUR = false;
// Sizes are not all multiples of the tile's.
layout(constant_id = 10) const bool CHECKED = true;

// Odd row lengths spread a column over the banks of shared memory.
const uint LEFT_LINE = BM + 1u;
const uint RIGHT_LINE = BN + 1u;
shared T left_tile[BK * LEFT_LINE];
shared T right_tile[BK * RIGHT_LINE];

const uint THREADS_N = BN / TN;
const uint THREADS_M = BM / TM;
const uint LEFT_VECTOR = LEFT_BY_FOUR ? 4u : 1u;
const uint RIGHT_VECTOR = RIGHT_BY_FOUR ? 4u : 1u;
// Fetches along the axis of neighbours, and lines across it that a fetch of all threads covers.
const uint LEFT_FAST = (LEFT_ALONG_K ? BK : BM) / LEFT_VECTOR;
const uint RIGHT_FAST = (RIGHT_ALONG_K ? BK : BN) / RIGHT_VECTOR;
const uint LEFT_LINES = THREADS / LEFT_FAST;
const uint RIGHT_LINES = THREADS / RIGHT_FAST;
const uint LEFT_FETCHES = BM * BK / (THREADS * LEFT_VECTOR);
const uint RIGHT_FETCHES = BN * BK / (THREADS * RIGHT_VECTOR);
// Rows (columns) of one fetch.
const uint LEFT_TOGETHER = LEFT_ALONG_K ? 1u : LEFT_VECTOR;
const uint RIGHT_TOGETHER = RIGHT_ALONG_K ? 1u : RIGHT_VECTOR;
const uint LEFT_PLACES = LEFT_ALONG_K ? LEFT_FETCHES : 1u;
const uint RIGHT_PLACES = RIGHT_ALONG_K ? RIGHT_FETCHES : 1u;

void main() {
  uint row_block, column_block, first, last;
  if (!SelectBlock(DivideUp(Rows(), BM), DivideUp(Columns(), BN), row_block, column_block, first,
                   last)) {
    return;
  }
  const uint thread = gl_LocalInvocationIndex;
  const uint row0 = row_block * BM;
  const uint column0 = column_block * BN;
  const uint left_fast = thread % LEFT_FAST * LEFT_VECTOR;
  const uint left_line = thread / LEFT_FAST;
  const uint right_fast = thread % RIGHT_FAST * RIGHT_VECTOR;
  const uint right_line = thread / RIGHT_FAST;

  RowPlace rows[LEFT_PLACES];
  [[unroll]] for (uint i = 0; i < LEFT_PLACES; ++i) {
    const uint row = row0 + (LEFT_ALONG_K ? left_line + i * LEFT_LINES : left_fast);
    rows[i] = RowAt(CHECKED ? min(row, Rows() - LEFT_TOGETHER) : row);
  }
  ColumnPlace columns[RIGHT_PLACES];
  [[unroll]] for (uint i = 0; i < RIGHT_PLACES; ++i) {
    const uint column = column0 + (RIGHT_ALONG_K ? right_line + i * RIGHT_LINES : right_fast);
    columns[i] = ColumnAt(CHECKED ? min(column, Columns() - RIGHT_TOGETHER) : column);
  }

  T sums[TM * TN];
  [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = ZERO;
  T left_next[LEFT_FETCHES * LEFT_VECTOR];
  T right_next[RIGHT_FETCHES * RIGHT_VECTOR];
  const uint column_thread = thread % THREADS_N;
  const uint row_thread = thread / THREADS_N;

  for (uint k0 = first; k0 < last; k0 += BK) {
    [[unroll]] for (uint i = 0; i < LEFT_FETCHES; ++i) {
      const uint k = k0 + (LEFT_ALONG_K ? left_fast : left_line + i * LEFT_LINES);
      const RowPlace row = rows[LEFT_ALONG_K ? i : 0u];
      const bool inside = !CHECKED || k < last;
      if (LEFT_BY_FOUR) {
        T4 four = T4(ZERO);
        if (inside) four = LeftFour(row, LeftAt(k));
        [[unroll]] for (uint j = 0; j < 4u; ++j) left_next[i * LEFT_VECTOR + j % LEFT_VECTOR] = four[j];
      } else {
        left_next[i] = ZERO;
        if (inside) left_next[i] = Left(row, LeftAt(k));
      }
    }
    [[unroll]] for (uint i = 0; i < RIGHT_FETCHES; ++i) {
      const uint k = k0 + (RIGHT_ALONG_K ? right_fast : right_line + i * RIGHT_LINES);
      const ColumnPlace column = columns[RIGHT_ALONG_K ? i : 0u];
      const bool inside = !CHECKED || k < last;
      if (RIGHT_BY_FOUR) {
        T4 four = T4(ZERO);
        if (inside) four = RightFour(RightAt(k), column);
        [[unroll]] for (uint j = 0; j < 4u; ++j) right_next[i * RIGHT_VECTOR + j % RIGHT_VECTOR] = four[j];
      } else {
        right_next[i] = ZERO;
        if (inside) right_next[i] = Right(RightAt(k), column);
      }
    }
    // The threads are done with the tiles before.
    barrier();
    [[unroll]] for (uint i = 0; i < LEFT_FETCHES * LEFT_VECTOR; ++i) {
      const uint fast = left_fast + i % LEFT_VECTOR;
      const uint line = left_line + i / LEFT_VECTOR * LEFT_LINES;
      left_tile[LEFT_ALONG_K ? fast * LEFT_LINE + line : line * LEFT_LINE + fast] = left_next[i];
    }
    [[unroll]] for (uint i = 0; i < RIGHT_FETCHES * RIGHT_VECTOR; ++i) {
      const uint fast = right_fast + i % RIGHT_VECTOR;
      const uint line = right_line + i / RIGHT_VECTOR * RIGHT_LINES;
      right_tile[RIGHT_ALONG_K ? fast * RIGHT_LINE + line : line * RIGHT_LINE + fast] = right_next[i];
    }
    barrier();
    for (uint k = 0; k < BK; ++k) {
      T left[TM];
      [[unroll]] for (uint i = 0; i < TM; ++i) {
        left[i] = left_tile[k * LEFT_LINE + row_thread + i * THREADS_M];
      }
      [[unroll]] for (uint j = 0; j < TN; ++j) {
        const T right = right_tile[k * RIGHT_LINE + column_thread + j * THREADS_N];
        [[unroll]] for (uint i = 0; i < TM; ++i) {
          sums[i * TN + j] = MULTIPLY_ADD(left[i], right, sums[i * TN + j]);
        }
      }
    }
  }

  [[unroll]] for (uint i = 0; i < TM; ++i) {
    const uint row = row0 + row_thread + i * THREADS_M;
    if (CHECKED && row >= Rows()) continue;
    [[unroll]] for (uint j = 0; j < TN; ++j) {
      const uint column = column0 + column_thread + j * THREADS_N;
      if (CHECKED && column >= Columns()) continue;
      Put(row, column, sums[i * TN + j]);
    }
  }
}
