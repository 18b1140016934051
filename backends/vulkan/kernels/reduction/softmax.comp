// softmax and log_softmax along one axis of a contiguous tensor, and with CROSS_ENTROPY the loss
// log(sum(exp(x))) - x[label] of each row, all from x - max(x). An item is a line along the axis;
// each lane keeps its first elements, so that lines of up to CACHED * LANES elements are read once.
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/stored_element.glsl"
#include "backends/vulkan/shaders/extremum.glsl"
#include "backends/vulkan/shaders/lanes.glsl"
#include "backends/vulkan/shaders/line.glsl"

// Loops over these are not marked [[unroll]]: spirv-opt then copies their bodies without NoContraction,
// and so changes what Exp computes. Drivers unroll them.
const uint CACHED = 8;

layout(std430, binding = 0) readonly buffer X { Stored x[]; };
#ifdef CROSS_ENTROPY
layout(constant_id = 3) const uint LABEL_WORDS = 1;
layout(std430, binding = 1) readonly buffer Labels { uint labels[]; };
layout(std430, binding = 2) writeonly buffer Y { T y[]; };
#else
layout(constant_id = 3) const bool LOG = false;
layout(std430, binding = 1) writeonly buffer Y { Stored y[]; };
#endif
layout(push_constant) uniform Constants { LINE_CONSTANTS; };

T Larger(T a, T b) { return LARGER(a, b); }
T Add(T a, T b) { return a + b; }
DEFINE_COMBINE_LANES(MaxOfLanes, T, Larger)
DEFINE_COMBINE_LANES(SumOfLanes, T, Add)

void main() {
  if (LINEAR_GROUP * ITEMS >= lines) return;
  const uint line = LINEAR_ITEM;
  const bool present = line < lines;
  const uint first = FIRST_OF_LINE(line);
  const uint end = present ? size : 0;
  const uint behind = LANE + CACHED * LANES;  // what is kept

  T kept[CACHED];
  T largest = -INFINITY;
  for (uint k = 0; k < CACHED; ++k) {
    const uint i = LANE + k * LANES;
    if (i < end) {
      kept[k] = Widen(x[first + i * inner]);
      largest = Larger(largest, kept[k]);
    }
  }
  for (uint i = behind; i < end; i += LANES) {
    largest = Larger(largest, Widen(x[first + i * inner]));
  }
  largest = MaxOfLanes(largest);

  T sum = ZERO;
  for (uint k = 0; k < CACHED; ++k) {
    if (LANE + k * LANES < end) {
      kept[k] -= largest;
      const T power = Exp(kept[k]);
      sum += power;
#ifndef CROSS_ENTROPY
      if (!LOG) kept[k] = power;
#endif
    }
  }
  for (uint i = behind; i < end; i += LANES) {
    sum += Exp(Widen(x[first + i * inner]) - largest);
  }
  sum = SumOfLanes(sum);

#ifdef CROSS_ENTROPY
  if (present && LANE == 0) {
    // A label that is no class gives NaN; one of two words has a second that must be 0.
    const uint label = labels[line * LABEL_WORDS];
    const bool valid = label < size && (LABEL_WORDS == 1 || labels[line * LABEL_WORDS + 1] == 0);
    y[line] = NOT_A_NUMBER;
    if (valid) y[line] = Log(sum) - (Widen(x[first + label]) - largest);
  }
#else
  const T factor = LOG ? Log(sum) : ONE / sum;
  for (uint k = 0; k < CACHED; ++k) {
    const uint i = LANE + k * LANES;
    if (i < end) {
      const T result = LOG ? kept[k] - factor : kept[k] * factor;
      y[first + i * inner] = Narrow(result);
    }
  }
  for (uint i = behind; i < end; i += LANES) {
    const T shifted = Widen(x[first + i * inner]) - largest;
    const T result = LOG ? shifted - factor : Exp(shifted) * factor;
    y[first + i * inner] = Narrow(result);
  }
#endif
}
