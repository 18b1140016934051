// Layer normalization along one axis of a contiguous tensor. An item is a line along the axis; each
// lane keeps its first elements, so that lines of up to CACHED * LANES elements are read once.
//
// The moments are of distances from the mean as it was rounded, and corrected for that (the
// corrected two-pass algorithm: Chan, Golub and LeVeque, "Algorithms for computing the sample
// variance", The American Statistician 37(3), 1983), so a large mean does not swallow the variance.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"
#include "backends/vulkan/shaders/extremum.glsl"
#include "backends/vulkan/shaders/lanes.glsl"
#include "backends/vulkan/shaders/line.glsl"

const uint CACHED = 8;

layout(std430, binding = 0) readonly buffer X { Stored x[]; };
layout(std430, binding = 1) readonly buffer Gamma { T gamma[]; };
layout(std430, binding = 2) readonly buffer Beta { T beta[]; };
layout(std430, binding = 3) writeonly buffer Y { Stored y[]; };
layout(std430, binding = 4) writeonly buffer Mean { T means[]; };
layout(std430, binding = 5) writeonly buffer Rstd { T rstds[]; };
layout(push_constant) uniform Constants {
  LINE_CONSTANTS;
  uint epsilon_low, epsilon_high;  // bits
};

T Add(T a, T b) { return a + b; }
DEFINE_COMBINE_LANES(SumOfLanes, T, Add)

void main() {
  if (LINEAR_GROUP * ITEMS >= lines) return;
  const uint line = LINEAR_ITEM;
  const bool present = line < lines;
  const uint first = FIRST_OF_LINE(line);
  const uint end = present ? size : 0;
  const uint behind = LANE + CACHED * LANES;  // what is kept

  T kept[CACHED];
  T sum = ZERO;
  [[unroll]] for (uint k = 0; k < CACHED; ++k) {
    const uint i = LANE + k * LANES;
    if (i < end) {
      kept[k] = Widen(x[first + i * inner]);
      sum += kept[k];
    }
  }
  for (uint i = behind; i < end; i += LANES) sum += Widen(x[first + i * inner]);
  const T center = SumOfLanes(sum) / T(size);

  T rest = ZERO;
  T squares = ZERO;
  [[unroll]] for (uint k = 0; k < CACHED; ++k) {
    if (LANE + k * LANES < end) {
      const T distance = kept[k] - center;
      rest += distance;
      squares += distance * distance;
    }
  }
  for (uint i = behind; i < end; i += LANES) {
    const T distance = Widen(x[first + i * inner]) - center;
    rest += distance;
    squares += distance * distance;
  }
  rest = SumOfLanes(rest) / T(size);
  squares = SumOfLanes(squares) / T(size);
  const T mean = center + rest;
  // max() may lose a NaN.
  const T difference = squares - rest * rest;
  const T variance = difference < ZERO ? ZERO : difference;
  const T rstd = ONE / sqrt(variance + FromBits(uvec2(epsilon_low, epsilon_high)));

  if (present && LANE == 0) {
    means[line] = mean;
    rstds[line] = rstd;
  }
  [[unroll]] for (uint k = 0; k < CACHED; ++k) {
    const uint i = LANE + k * LANES;
    if (i < end) {
      const T result = (kept[k] - mean) * rstd * gamma[i] + beta[i];
      y[first + i * inner] = Narrow(result);
    }
  }
  for (uint i = behind; i < end; i += LANES) {
    const T result = (Widen(x[first + i * inner]) - mean) * rstd * gamma[i] + beta[i];
    y[first + i * inner] = Narrow(result);
  }
}
