#version 450
#extension GL_GOOGLE_include_directive : require
// Matrix products of f16 on the matrix units, with sums in f32 (GL_NV_cooperative_matrix). Each
// subgroup computes FRAGMENT_ROWS x FRAGMENT_COLUMNS fragments of 16 x 16 straight from memory; all
// sizes are multiples of them, and each operand's rows or columns lie next to each other. Bindings
// and push constants are those of matmul.comp; there are no parts and no bias.
#extension GL_NV_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "backends/vulkan/shaders/common.glsl"

#include "backends/vulkan/kernels/contraction/contraction.glsl"

layout(local_size_x_id = 0) in;  // one subgroup
layout(constant_id = 1) const uint FRAGMENT_ROWS = 1;
layout(constant_id = 2) const uint FRAGMENT_COLUMNS = 1;
layout(constant_id = 3) const bool LEFT_ALONG_K = true;
layout(constant_id = 4) const bool RIGHT_ALONG_K = false;
layout(constant_id = 13) const uint ACTIVATION = 0;  // 0 none, 1 relu

layout(push_constant) uniform Constants {
  uint rows, columns, depth;
  uint left_offset, left_row, left_k;
  uint right_offset, right_k, right_column;
  uint out_row, out_column, out_product;
  uint products, parts, depth_of_part, out_part;
  uint batch[3];
  uint left_batch[4];
  uint right_batch[4];
  uint out_offset;
  uint bias_offset, bias_step;  // of other methods
} p;

layout(set = 0, binding = 0) readonly buffer LeftBuffer { float16_t left_elements[]; };
layout(set = 0, binding = 1) readonly buffer RightBuffer { float16_t right_elements[]; };
layout(set = 0, binding = 3) writeonly buffer OutBuffer { float16_t out_elements[]; };

uint left_base, right_base, out_base;

uint Rows() { return p.rows; }
uint Columns() { return p.columns; }
uint Depth() { return p.depth; }
uint Products() { return p.products; }
uint Parts() { return 1u; }
uint DepthOfPart() { return p.depth; }

void SelectProduct(uint product, uint part) {
  left_base = p.left_offset;
  right_base = p.right_offset;
  out_base = p.out_offset + product * p.out_product;
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

void main() {
  uint row_block, column_block, first, last;
  if (!SelectBlock(p.rows / (16u * FRAGMENT_ROWS), p.columns / (16u * FRAGMENT_COLUMNS), row_block,
                   column_block, first, last)) {
    return;
  }
  const uint row0 = row_block * 16u * FRAGMENT_ROWS;
  const uint column0 = column_block * 16u * FRAGMENT_COLUMNS;
  fcoopmatNV<32, gl_ScopeSubgroup, 16, 16> sums[FRAGMENT_ROWS * FRAGMENT_COLUMNS];
  [[unroll]] for (uint i = 0; i < FRAGMENT_ROWS * FRAGMENT_COLUMNS; ++i) {
    sums[i] = fcoopmatNV<32, gl_ScopeSubgroup, 16, 16>(0.0);
  }
  for (uint k = first; k < last; k += 16u) {
    fcoopmatNV<16, gl_ScopeSubgroup, 16, 16> left[FRAGMENT_ROWS];
    [[unroll]] for (uint i = 0; i < FRAGMENT_ROWS; ++i) {
      coopMatLoadNV(left[i], left_elements,
                    left_base + (row0 + 16u * i) * p.left_row + k * p.left_k,
                    LEFT_ALONG_K ? p.left_row : p.left_k, !LEFT_ALONG_K);
    }
    [[unroll]] for (uint j = 0; j < FRAGMENT_COLUMNS; ++j) {
      fcoopmatNV<16, gl_ScopeSubgroup, 16, 16> right;
      coopMatLoadNV(right, right_elements,
                    right_base + k * p.right_k + (column0 + 16u * j) * p.right_column,
                    RIGHT_ALONG_K ? p.right_column : p.right_k, RIGHT_ALONG_K);
      [[unroll]] for (uint i = 0; i < FRAGMENT_ROWS; ++i) {
        const uint at = i * FRAGMENT_COLUMNS + j;
        sums[at] = coopMatMulAddNV(left[i], right, sums[at]);
      }
    }
  }
  [[unroll]] for (uint i = 0; i < FRAGMENT_ROWS; ++i) {
    [[unroll]] for (uint j = 0; j < FRAGMENT_COLUMNS; ++j) {
      fcoopmatNV<32, gl_ScopeSubgroup, 16, 16> sum = sums[i * FRAGMENT_COLUMNS + j];
      if (ACTIVATION == 1u) {
        for (int e = 0; e < sum.length(); ++e) sum[e] = sum[e] < 0.0 ? 0.0 : sum[e];
      }
      const fcoopmatNV<16, gl_ScopeSubgroup, 16, 16> narrow =
          fcoopmatNV<16, gl_ScopeSubgroup, 16, 16>(sum);
      coopMatStoreNV(narrow, out_elements,
                     out_base + (row0 + 16u * i) * p.out_row + column0 + 16u * j, p.out_row, false);
    }
  }
}
