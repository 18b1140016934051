// Lines along one axis of a contiguous tensor [outer, size, inner]: an item of lanes.glsl is a line.
// With COLUMNS, neighbouring items are neighbouring lines, otherwise inner is 1 or lines lie far
// apart.
//
// The push constants of the shader start with struct LineConstants of kernels/reduction/lane_plan.h. Include
// after lanes.glsl.
#ifndef TANDEM_LINE_GLSL
#define TANDEM_LINE_GLSL

#define LINE_CONSTANTS \
  uint lines;          \
  uint size;           \
  uint inner

// Needs LINE_CONSTANTS to be declared: where the first element of a line is.
#define FIRST_OF_LINE(line) ((line) / inner * inner * size + (line) % inner)

#endif  // TANDEM_LINE_GLSL
