// The mean of each channel of a contiguous tensor [outer, channels, inner], and the sum of the
// squared distances from it, both of a part of the channel's elements: gl_WorkGroupID.z says which.
// An item is a channel. Parts are joined by channel_statistics.comp. The mean is corrected as in
// layer_norm.comp.
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"
#include "backends/vulkan/shaders/lanes.glsl"

layout(std430, binding = 0) readonly buffer X { Stored x[]; };
// Of all parts: the means, then the squares; a row for each part.
layout(std430, binding = 1) writeonly buffer Moments { T moments[]; };
layout(push_constant) uniform Constants {
  uint channels;
  uint count;       // elements of a channel
  uint part_count;  // of a part, the last may have less
  Divisor inner;
};

T Add(T a, T b) { return a + b; }
DEFINE_COMBINE_LANES(SumOfLanes, T, Add)

T Term(uint channel, uint term) {
  const uint outer = Divide(term, inner);
  return Widen(
      x[(outer * channels + channel) * inner.divisor + (term - outer * inner.divisor)]);
}

void main() {
  if (LINEAR_GROUP * ITEMS >= channels) return;
  const uint channel = LINEAR_ITEM;
  const bool present = channel < channels;
  const uint part = gl_WorkGroupID.z;
  const uint begin = part * part_count;
  const uint end = min(count, begin + part_count);
  const uint last = present ? end : 0;
  const T terms = T(end - begin);

  T sum = ZERO;
  for (uint i = begin + LANE; i < last; i += LANES) sum += Term(channel, i);
  const T center = SumOfLanes(sum) / terms;
  T rest = ZERO;
  T squares = ZERO;
  for (uint i = begin + LANE; i < last; i += LANES) {
    const T distance = Term(channel, i) - center;
    rest += distance;
    squares += distance * distance;
  }
  rest = SumOfLanes(rest);
  squares = SumOfLanes(squares);
  if (present && LANE == 0) {
    const uint at = part * channels + channel;
    moments[at] = center + rest / terms;
    const T difference = squares - rest * rest / terms;
    moments[gl_NumWorkGroups.z * channels + at] = difference < ZERO ? ZERO : difference;
  }
}
