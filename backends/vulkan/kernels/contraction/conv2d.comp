#version 450
#extension GL_GOOGLE_include_directive : require
// Convolutions as products of matrices that are never built (convolution.cc says how the gradients
// become such sums). Compiled with one of TILE, COLUMNS and DOT, with WEIGHT_GRADIENT for the
// gradient of the weight, and with STORE_F16 or STORE_BF16 for elements of 16 bits.
//
//   correlation: out[row, (image, y, x)] = sum over (channel, tap) of
//                weight[row, channel, tap] * source[image, channel, window(y, x) at tap]
//   gradient:    out[row, (channel, tap)] = sum over (image, y, x) of
//                grad[image, row, y, x] * source[image, channel, window(y, x) at tap]
//
// One product for each group of channels.
#include "backends/vulkan/shaders/common.glsl"

#include "backends/vulkan/kernels/contraction/contraction.glsl"
#include "backends/vulkan/kernels/contraction/epilogue.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"

// The weight's axes are the other way round: [channel, row, tap].
layout(constant_id = 14) const bool TRANSPOSED = false;

layout(push_constant) uniform Constants {
  uint rows, channels, images, groups;
  // Divisors: taps of the window, taps in its row, windows of an image, windows in their row. A byte
  // of `shifts` for each.
  uint divisors[4];
  uint multipliers[4];
  uint shifts;
  int height, width;          // of the source
  int origin_y, origin_x;     // of the first window's first tap
  int stride_y, stride_x;     // of windows
  int dilation_y, dilation_x; // of taps
  uint weight_plane;          // elements of a channel's weights
  uint weight_offset, weight_y, weight_x;  // of the first tap, and from tap to tap
  uint out_plane;
  uint out_offset, out_y, out_x;
  uint depth_of_part, out_part;
} p;

layout(set = 0, binding = 0) readonly buffer LeftBuffer { Stored left_elements[]; };
layout(set = 0, binding = 1) readonly buffer SourceBuffer { Stored source_elements[]; };
layout(set = 0, binding = 2) readonly buffer BiasBuffer { Stored bias_elements[]; };
layout(set = 0, binding = 3) writeonly buffer OutBuffer { Stored out_elements[]; };
// The same memory for the sums of parts.
layout(set = 0, binding = 3) writeonly buffer PartBuffer { T part_elements[]; };

uint Quotient(uint n, uint which) {
  return Divide(n, Divisor(p.divisors[which], p.multipliers[which],
                           (p.shifts >> (8u * which)) & 0xffu));
}

// A window's image and the position of its first tap.
struct Window {
  uint image;
  uint index;  // in the image
  uint base;   // of the image's group of channels in the source
  int y, x;
};
// A tap's channel and its distance from the first tap.
struct Tap {
  uint channel;
  uint row, column;
  uint base;  // of the channel, from the group's
  int y, x;
};

uint group, part;

uint SourcePlane() { return uint(p.height) * uint(p.width); }

Window WindowAt(uint n) {
  Window w;
  w.image = Quotient(n, 2u);
  w.index = n - w.image * p.divisors[2];
  const uint y = Quotient(w.index, 3u);
  const uint x = w.index - y * p.divisors[3];
  w.base = (w.image * p.groups + group) * p.channels * SourcePlane();
  w.y = p.origin_y + int(y) * p.stride_y;
  w.x = p.origin_x + int(x) * p.stride_x;
  return w;
}

Tap TapAt(uint n) {
  Tap t;
  t.channel = Quotient(n, 0u);
  const uint index = n - t.channel * p.divisors[0];
  t.row = Quotient(index, 1u);
  t.column = index - t.row * p.divisors[1];
  t.base = t.channel * SourcePlane();
  t.y = int(t.row) * p.dilation_y;
  t.x = int(t.column) * p.dilation_x;
  return t;
}

T Source(Window window, Tap tap) {
  const int y = window.y + tap.y;
  const int x = window.x + tap.x;
  // A negative position is a large unsigned one.
  if (uint(y) >= uint(p.height) || uint(x) >= uint(p.width)) return ZERO;
  return Widen(source_elements[window.base + tap.base + uint(y) * uint(p.width) + uint(x)]);
}

uint Rows() { return p.rows; }
uint Products() { return p.groups; }
uint DepthOfPart() { return p.depth_of_part; }
uint Parts() { return max(DivideUp(Depth(), p.depth_of_part), 1u); }
void SelectProduct(uint product, uint part_of_sum) {
  group = product;
  part = part_of_sum;
}

void PutAt(uint at, uint row, T sum) {
  if (Parts() > 1u) {
    part_elements[part * p.out_part + at] = sum;
    return;
  }
  if (BIAS != BIAS_NONE) sum += Widen(bias_elements[group * p.rows + row]);
  out_elements[at] = Narrow(Finish(sum));
}

#define RowPlace uint
#define LeftStep uint

T Left(RowPlace row, LeftStep step) { return Widen(left_elements[row + step]); }

#ifdef WEIGHT_GRADIENT

#define ColumnPlace Tap
#define RightStep Window

uint Columns() { return p.channels * p.divisors[0]; }
uint Depth() { return p.images * p.divisors[2]; }
RowPlace RowAt(uint row) { return (group * p.rows + row) * p.divisors[2]; }
LeftStep LeftAt(uint k) {
  const uint image = Quotient(k, 2u);
  return k + image * p.divisors[2] * (p.groups * p.rows - 1u);
}
ColumnPlace ColumnAt(uint column) { return TapAt(column); }
RightStep RightAt(uint k) { return WindowAt(k); }
T Right(RightStep window, ColumnPlace tap) { return Source(window, tap); }

uint IndexInPlane(Window window, Tap tap) { return window.index; }

void Put(uint row, uint column, T sum) {
  PutAt((group * p.rows + row) * Columns() + column, row, sum);
}

#else

#define ColumnPlace Window
#define RightStep Tap

uint Columns() { return p.images * p.divisors[2]; }
uint Depth() { return p.channels * p.divisors[0]; }
RowPlace RowAt(uint row) {
  const uint first = group * p.rows * p.channels * p.weight_plane + p.weight_offset;
  return first + row * (TRANSPOSED ? 1u : p.channels) * p.weight_plane;
}
LeftStep LeftAt(uint k) {
  if (!TRANSPOSED) return k;
  const Tap tap = TapAt(k);
  return tap.channel * p.rows * p.weight_plane + tap.row * p.weight_y + tap.column * p.weight_x;
}
ColumnPlace ColumnAt(uint column) { return WindowAt(column); }
RightStep RightAt(uint k) { return TapAt(k); }
T Right(RightStep tap, ColumnPlace window) { return Source(window, tap); }

uint IndexInPlane(Tap tap, Window window) { return window.index; }

void Put(uint row, uint column, T sum) {
  const Window window = WindowAt(column);
  const uint y = Quotient(window.index, 3u);
  const uint x = window.index - y * p.divisors[3];
  PutAt(((window.image * p.groups + group) * p.rows + row) * p.out_plane + p.out_offset +
            y * p.out_y + x * p.out_x,
        row, sum);
}

#endif

#ifdef TILE
// Both operands again, four elements at a time: the source only where windows are its elements.
layout(set = 0, binding = 0) readonly buffer LeftFours { StoredFour left_fours[]; };
layout(set = 0, binding = 1) readonly buffer SourceFours { StoredFour source_fours[]; };
T4 LeftFour(RowPlace row, LeftStep step) { return WidenFour(left_fours[(row + step) / 4u]); }
T4 RightFour(RightStep step, ColumnPlace column) {
  return WidenFour(source_fours[(column.base + step.base + IndexInPlane(step, column)) / 4u]);
}
#endif

#if defined(TILE)
#include "backends/vulkan/kernels/contraction/contraction_tile.glsl"
#elif defined(COLUMNS)
#include "backends/vulkan/kernels/contraction/contraction_columns.glsl"
#else
#include "backends/vulkan/kernels/contraction/contraction_dot.glsl"
#endif
