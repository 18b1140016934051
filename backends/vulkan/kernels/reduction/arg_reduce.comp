// argmax and argmin along one axis of a contiguous tensor: the first NaN, else the first of the
// extreme elements. An item is a line along the axis. Indices are written as 64 bits.
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "backends/vulkan/shaders/common.glsl"
#if IS_FLOAT
#include "backends/vulkan/shaders/stored_element.glsl"
#define ValueOf(stored) Widen(stored)
#else
#define Stored T
#define ValueOf(stored) stored
#endif
#include "backends/vulkan/shaders/extremum.glsl"
#include "backends/vulkan/shaders/lanes.glsl"
#include "backends/vulkan/shaders/line.glsl"

layout(constant_id = 3) const bool FIND_MAX = true;

layout(std430, binding = 0) readonly buffer X { Stored x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec2 y[]; };
layout(push_constant) uniform Constants { LINE_CONSTANTS; };

struct Element {
  T value;
  uint index;
};

#ifdef SUBGROUPS
Element ShuffleXor(Element e, uint mask) {
  return Element(subgroupShuffleXor(e.value, mask), subgroupShuffleXor(e.index, mask));
}
#endif

// The one that is found of two; for two with the same index either.
Element Found(Element a, Element b) {
  const bool a_is_nan = IsNan(a.value);
  const bool b_is_nan = IsNan(b.value);
  const bool first = a.index < b.index;
  if (a_is_nan || b_is_nan) return a_is_nan && (first || !b_is_nan) ? a : b;
  if (FIND_MAX ? Less(b.value, a.value) : Less(a.value, b.value)) return a;
  if (FIND_MAX ? Less(a.value, b.value) : Less(b.value, a.value)) return b;
  return first ? a : b;
}
DEFINE_COMBINE_LANES(FoundByLanes, Element, Found)

void main() {
  if (LINEAR_GROUP * ITEMS >= lines) return;
  const uint line = LINEAR_ITEM;
  const bool present = line < lines;
  // Lanes behind the end of a short line begin with its last element.
  Element found = Element(T(0), 0);
  if (present) {
    const uint first = FIRST_OF_LINE(line);
    uint i = min(LANE, size - 1);
    found = Element(ValueOf(x[first + i * inner]), i);
    for (i += LANES; i < size; i += LANES) {
      found = Found(found, Element(ValueOf(x[first + i * inner]), i));
    }
  }
  found = FoundByLanes(found);
  if (present && LANE == 0) y[line] = uvec2(found.index, 0);
}
