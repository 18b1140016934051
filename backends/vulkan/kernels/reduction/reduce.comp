// sum, prod, max and min over any axes of a tensor of any strides, and the quotient of a mean.
//
// A result is an item of lanes.glsl: its lanes walk the reduced axes, every LANES-th term each, in
// four chains. If there are few results with many terms, gl_WorkGroupID.z cuts the terms into parts,
// whose results (`results` times `parts`) a second dispatch reduces. Integers are widened to 64 bits.
#version 450
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "backends/vulkan/shaders/common.glsl"
#if IS_FLOAT
#include "backends/vulkan/shaders/stored_element.glsl"
#endif
#include "backends/vulkan/shaders/extremum.glsl"
#include "backends/vulkan/shaders/fast_divide.glsl"
#include "backends/vulkan/shaders/lanes.glsl"

const uint SUM = 0;
const uint PROD = 1;
const uint MAX = 2;
const uint MIN = 3;
layout(constant_id = 3) const uint OP = 0;
// How a result is stored: as it is (integers in 64 bits), the lower word of an integer, or divided
// by `divisor` (integers as f32).
const uint AS_IS = 0;
const uint LOW_WORD = 1;
const uint QUOTIENT = 2;
layout(constant_id = 4) const uint STORE = 0;
// Reduced axes: 1, 2, or 3 for more.
layout(constant_id = 5) const uint REDUCED_AXES = 1;

#if IS_FLOAT
#define ACCUMULATOR T
#define IDENTITY_OF_MAX -INFINITY
#define IDENTITY_OF_MIN INFINITY
ACCUMULATOR Add(ACCUMULATOR a, ACCUMULATOR b) { return a + b; }
ACCUMULATOR Multiply(ACCUMULATOR a, ACCUMULATOR b) { return a * b; }
const ACCUMULATOR NONE = ACCUMULATOR(0);
const ACCUMULATOR UNIT = ACCUMULATOR(1);
#else
#define ACCUMULATOR uvec2
#define Stored T
#define IDENTITY_OF_MAX uvec2(0u, 0x80000000u)
#define IDENTITY_OF_MIN uvec2(0xffffffffu, 0x7fffffffu)
ACCUMULATOR Add(ACCUMULATOR a, ACCUMULATOR b) { return Add64(a, b); }
ACCUMULATOR Multiply(ACCUMULATOR a, ACCUMULATOR b) { return Multiply64(a, b); }
const ACCUMULATOR NONE = uvec2(0, 0);
const ACCUMULATOR UNIT = uvec2(1, 0);
#endif

layout(std430, binding = 0) readonly buffer X { Stored x[]; };
layout(std430, binding = 1) writeonly buffer Y { uint y[]; };

struct Axis {
  uint size;
  int stride;
};
layout(push_constant) uniform Constants {
  uint results;
  uint count;       // terms of a result
  uint part_count;  // of a part, the last may have less
  int offset;       // of the first element
  uint kept_axes;
  uint num_axes;
  uint divisor;
  Divisor inner;    // the size of the last reduced axis
  Axis axes[8];     // those kept, then those reduced; outermost first
};

// Not one expression: that would be a specialization constant of two components, which Mesa's drivers
// compute wrongly (seen in 22.3).
ACCUMULATOR Identity() {
  if (OP == SUM) return NONE;
  if (OP == PROD) return UNIT;
  if (OP == MAX) return IDENTITY_OF_MAX;
  return IDENTITY_OF_MIN;
}

ACCUMULATOR Combine(ACCUMULATOR a, ACCUMULATOR b) {
  return OP == SUM    ? Add(a, b)
         : OP == PROD ? Multiply(a, b)
         : OP == MAX  ? LARGER(a, b)
                      : SMALLER(a, b);
}
DEFINE_COMBINE_LANES(CombineLanes, ACCUMULATOR, Combine)

// Where position `index` of the axes [begin, end) lies.
int OffsetOf(uint index, uint begin, uint end) {
  int at = 0;
  for (uint i = end; i > begin; --i) {
    const uint rest = index / axes[i - 1].size;
    at += int(index - rest * axes[i - 1].size) * axes[i - 1].stride;
    index = rest;
  }
  return at;
}

ACCUMULATOR Term(int base, uint term) {
  const int stride = axes[num_axes - 1].stride;
  if (REDUCED_AXES == 1) return Widen(x[base + int(term) * stride]);
  const uint outer = Divide(term, inner);
  int at = base + int(term - outer * inner.divisor) * stride;
  if (REDUCED_AXES == 2) {
    at += int(outer) * axes[kept_axes].stride;
  } else {
    at += OffsetOf(outer, kept_axes, num_axes - 1);
  }
  return Widen(x[at]);
}

void Store(uint at, ACCUMULATOR value) {
#if IS_FLOAT
  // The mean of nothing is NaN.
  if (STORE == QUOTIENT) value = divisor == 0 ? NOT_A_NUMBER : value / T(divisor);
#endif
#if defined(DTYPE_F32)
  y[at] = floatBitsToUint(value);
#elif defined(DTYPE_F64)
  const uvec2 words = unpackDouble2x32(value);
  y[2 * at] = words.x;
  y[2 * at + 1] = words.y;
#else
  if (STORE == LOW_WORD) {
    y[at] = value.x;
  } else if (STORE == QUOTIENT) {
    y[at] = divisor == 0 ? 0x7fc00000u : floatBitsToUint(ToFloat64(value) / float(divisor));
  } else {
    y[2 * at] = value.x;
    y[2 * at + 1] = value.y;
  }
#endif
}

void main() {
  if (LINEAR_GROUP * ITEMS >= results) return;
  const uint result = LINEAR_ITEM;
  ACCUMULATOR value = Identity();
  const uint part = gl_WorkGroupID.z;
  if (result < results) {
    const int base = offset + OffsetOf(result, 0, kept_axes);
    const uint end = min(count, (part + 1) * part_count);
    uint term = part * part_count + LANE;
    ACCUMULATOR chain[3] = ACCUMULATOR[3](value, value, value);
    while (term + 3 * LANES < end) {
      value = Combine(value, Term(base, term));
      for (uint i = 0; i < 3; ++i) {
        chain[i] = Combine(chain[i], Term(base, term + (i + 1) * LANES));
      }
      term += 4 * LANES;
    }
    for (; term < end; term += LANES) value = Combine(value, Term(base, term));
    value = Combine(Combine(value, chain[0]), Combine(chain[1], chain[2]));
  }
  value = CombineLanes(value);
  if (result < results && LANE == 0) Store(result * gl_NumWorkGroups.z + part, value);
}
