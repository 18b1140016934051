#version 450
// Matrix products of strided operands in broadcast batches (matmul.cc). Compiled with one of
// TILE, COLUMNS and DOT, and for elements that are stored in 16 bits with STORE_F16 or STORE_BF16.
#include "backends/vulkan/shaders/common.glsl"
#ifdef PAIRS
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#endif

#include "backends/vulkan/kernels/contraction/contraction.glsl"
#include "backends/vulkan/kernels/contraction/epilogue.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"

layout(push_constant) uniform Constants {
  uint rows, columns, depth;
  uint left_offset, left_row, left_k;
  uint right_offset, right_k, right_column;
  uint out_row, out_column, out_product;
  uint products, parts, depth_of_part, out_part;
  // Dimensions of the batch but the first, and the distance of two matrices along all four.
  uint batch[3];
  uint left_batch[4];
  uint right_batch[4];
  uint out_offset;
  uint bias_offset, bias_step;
} p;

layout(set = 0, binding = 0) readonly buffer LeftBuffer { Stored left_elements[]; };
layout(set = 0, binding = 1) readonly buffer RightBuffer { Stored right_elements[]; };
layout(set = 0, binding = 2) readonly buffer BiasBuffer { Stored bias_elements[]; };
layout(set = 0, binding = 3) writeonly buffer OutBuffer { Stored out_elements[]; };
// The same memory for the sums of parts.
layout(set = 0, binding = 3) writeonly buffer PartBuffer { T part_elements[]; };

#define RowPlace uint
#define ColumnPlace uint
#define LeftStep uint
#define RightStep uint

uint left_base, right_base, out_base;

uint Rows() { return p.rows; }
uint Columns() { return p.columns; }
uint Depth() { return p.depth; }
uint Products() { return p.products; }
uint Parts() { return p.parts; }
uint DepthOfPart() { return p.depth_of_part; }

void SelectProduct(uint product, uint part) {
  left_base = p.left_offset;
  right_base = p.right_offset;
  out_base = p.out_offset + product * p.out_product + part * p.out_part;
  uint rest = product;
  [[unroll]] for (int i = 2; i >= 0; --i) {
    const uint next = rest / p.batch[i];
    const uint at = rest - next * p.batch[i];
    left_base += at * p.left_batch[i + 1];
    right_base += at * p.right_batch[i + 1];
    rest = next;
  }
  left_base += rest * p.left_batch[0];
  right_base += rest * p.right_batch[0];
}

RowPlace RowAt(uint row) { return left_base + row * p.left_row; }
ColumnPlace ColumnAt(uint column) { return right_base + column * p.right_column; }
LeftStep LeftAt(uint k) { return k * p.left_k; }
RightStep RightAt(uint k) { return k * p.right_k; }
T Left(RowPlace row, LeftStep step) { return Widen(left_elements[row + step]); }
T Right(RightStep step, ColumnPlace column) { return Widen(right_elements[step + column]); }

#ifdef TILE
// Both operands again, four elements at a time.
layout(set = 0, binding = 0) readonly buffer LeftFours { StoredFour left_fours[]; };
layout(set = 0, binding = 1) readonly buffer RightFours { StoredFour right_fours[]; };
T4 LeftFour(RowPlace row, LeftStep step) { return WidenFour(left_fours[(row + step) / 4u]); }
T4 RightFour(RightStep step, ColumnPlace column) {
  return WidenFour(right_fours[(step + column) / 4u]);
}
#endif

#ifdef PAIRS
// The right operand again, two elements at a time.
layout(set = 0, binding = 1) readonly buffer RightPairs { uint64_t right_pairs[]; };
void RightPair(RightStep step, ColumnPlace column, out T first, out T second) {
  const uint64_t pair = right_pairs[(step + column) / 2u];
  first = uintBitsToFloat(uint(pair));
  second = uintBitsToFloat(uint(pair >> 32));
}
#endif

void Put(uint row, uint column, T sum) {
  const uint at = out_base + row * p.out_row + column * p.out_column;
  if (p.parts > 1u) {
    part_elements[at] = sum;
    return;
  }
  if (BIAS != BIAS_NONE) {
    const uint bias_at = p.bias_offset + p.bias_step * (BIAS == BIAS_ROW ? row : column);
    precise const T biased = sum + Widen(bias_elements[bias_at]);
    sum = biased;
  }
  out_elements[at] = Narrow(Finish(sum));
}

#if defined(TILE)
#include "backends/vulkan/kernels/contraction/contraction_tile.glsl"
#elif defined(COLUMNS)
#include "backends/vulkan/kernels/contraction/contraction_columns.glsl"
#else
#include "backends/vulkan/kernels/contraction/contraction_dot.glsl"
#endif
