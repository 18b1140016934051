// The frame of every product of matrices here: out[row, column] = sum over k of
// left[row, k] * right[k, column], for a number of products and, if the sum is split, a number of
// parts of it.
//
// A shader says where its elements lie (strides for matmul, windows for a convolution) and includes
// one of the three ways to sum:
//
//   contraction_tile.glsl     both operands staged in shared memory, a register tile a thread
//   contraction_columns.glsl  a thread for each column and a few rows, nothing shared
//   contraction_dot.glsl      threads along k, for few elements with long sums
//
// What the shader defines, before it includes one of them:
//
//   uint Rows(), Columns(), Depth();    of one product
//   uint Products();                    products, each with its own operands
//   uint Parts(), DepthOfPart();        of the sum; a part is a multiple of the tile's depth
//   void SelectProduct(product, part);  called once, before all below
//   RowPlace, ColumnPlace, LeftStep, RightStep: types that hold what is known of an index
//   RowPlace RowAt(row); ColumnPlace ColumnAt(column); LeftStep LeftAt(k); RightStep RightAt(k);
//   T Left(RowPlace, LeftStep); T Right(RightStep, ColumnPlace);
//   void Put(row, column, sum);
//
// An index is decoded once and used for many elements: divisions stay out of the inner loops.
#ifndef TANDEM_BACKENDS_VULKAN_SHADERS_CONTRACTION_GLSL_
#define TANDEM_BACKENDS_VULKAN_SHADERS_CONTRACTION_GLSL_

#extension GL_EXT_control_flow_attributes : require

#if defined(DTYPE_F32) || defined(DTYPE_F64)
#define MULTIPLY_ADD(a, b, c) fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

uint Rows();
uint Columns();
uint Depth();
uint Products();
uint Parts();
uint DepthOfPart();
void SelectProduct(uint product, uint part);

uint DivideUp(uint a, uint b) { return (a + b - 1u) / b; }

// The block of rows and columns of this work group; false if there is none.
bool SelectBlock(uint row_blocks, uint column_blocks, out uint row_block, out uint column_block,
                 out uint first, out uint last) {
  const uint blocks = row_blocks * column_blocks;
  const uint group = LINEAR_GROUP;
  const uint products = Products();
  if (group >= blocks * products * Parts()) return false;
  const uint block = group % blocks;
  const uint product_and_part = group / blocks;
  const uint part = product_and_part / products;
  row_block = block % row_blocks;
  column_block = block / row_blocks;
  first = part * DepthOfPart();
  last = min(first + DepthOfPart(), Depth());
  SelectProduct(product_and_part % products, part);
  return true;
}

#endif  // TANDEM_BACKENDS_VULKAN_SHADERS_CONTRACTION_GLSL_
