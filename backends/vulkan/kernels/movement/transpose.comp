// A copy whose input is contiguous along another axis than its result: tiles of 32 by 32 elements
// go through shared memory, so that reads and writes are both of neighbouring elements. A row of the
// tile has one element more than it needs, so that a column lies in 32 different banks.
//
// A driver that runs on a CPU has caches that hold a tile, and pays for barriers: there the tiles are
// only the order in which elements are copied.
#version 450
#include "backends/vulkan/shaders/common.glsl"

// 32 invocations wide; how high, the device's limit says.
layout(local_size_x = 32, local_size_y_id = 0) in;
layout(constant_id = 1) const bool THROUGH_SHARED = true;
layout(std430, binding = 0) readonly buffer X { T x[]; };
layout(std430, binding = 1) writeonly buffer Y { T y[]; };

struct BatchAxis {
  uint size;
  int x_stride;
  int y_stride;
};
layout(push_constant) uniform Constants {
  int offset;         // of the first element of the input
  uint rows;          // size of the axis along which the input is contiguous
  uint columns;       // size of the last axis, along which the result is
  int column_stride;  // elements of the input from column to column
  int row_stride;     // elements of the result from row to row
  uint row_tiles;
  uint column_tiles;
  uint num_tiles;     // of all batches
  uint batch_rank;
  BatchAxis batch[6];  // the innermost first
};

const uint TILE = 32;
#if defined(DTYPE_B8)
#define CELL uvec2
#else
#define CELL uint
#endif
shared CELL tile[TILE][TILE + 1];

void main() {
  if (LINEAR_GROUP >= num_tiles) return;
  uint rest = LINEAR_GROUP / column_tiles;
  const uint column = (LINEAR_GROUP - rest * column_tiles) * TILE;
  const uint batches = rest / row_tiles;
  const uint row = (rest - batches * row_tiles) * TILE;
  rest = batches;
  int from = offset;
  int to = 0;
  for (uint i = 0; i < batch_rank; ++i) {
    const uint outer = rest / batch[i].size;
    const int index = int(rest - outer * batch[i].size);
    from += index * batch[i].x_stride;
    to += index * batch[i].y_stride;
    rest = outer;
  }
  const uint lane = gl_LocalInvocationID.x;
  if (!THROUGH_SHARED) {
    for (uint i = gl_LocalInvocationID.y; i < TILE; i += gl_WorkGroupSize.y) {
      if (row + i < rows && column + lane < columns) {
        y[to + int(row + i) * row_stride + int(column + lane)] =
            x[from + int(row + i) + int(column + lane) * column_stride];
      }
    }
    return;
  }
  for (uint i = gl_LocalInvocationID.y; i < TILE; i += gl_WorkGroupSize.y) {
    if (row + lane < rows && column + i < columns) {
      tile[i][lane] = CELL(x[from + int(row + lane) + int(column + i) * column_stride]);
    }
  }
  barrier();
  for (uint i = gl_LocalInvocationID.y; i < TILE; i += gl_WorkGroupSize.y) {
    if (row + i < rows && column + lane < columns) {
      y[to + int(row + i) * row_stride + int(column + lane)] = T(tile[lane][i]);
    }
  }
}
