// Work groups that compute several items (rows, columns, channels), each with several lanes:
// invocations that share an item and combine what they found, in an order that is always the same.
//
//   #include "backends/vulkan/shaders/lanes.glsl"
//   #define ADD(a, b) ((a) + (b))
//   DEFINE_COMBINE_LANES(SumOfLanes, T, ADD)
//
//   T sum = ZERO;
//   for (uint i = LANE; i < size; i += LANES) sum += x[first + i];
//   sum = SumOfLanes(sum);                    // the same for every lane of the item
//
// Specialization constants: 0: the size of the group; 1: LANES; 2: COLUMNS. The first two are powers
// of two, LANES not the larger. Neighbouring invocations are lanes of one item where memory is
// contiguous along an item, and with COLUMNS they are neighbouring items.
//
// DEFINE_COMBINE_LANES(name, type, combine) defines `type name(type value)`, which all invocations
// of the group must call. `combine` must not depend on the order of its two arguments. With SUBGROUPS
// defined (and GL_KHR_shader_subgroup_basic and _shuffle enabled) lanes of a subgroup exchange their
// values directly; else, and with COLUMNS, all go through shared memory. A `type` that is a struct
// needs its own `type ShuffleXor(type value, uint mask)`.
#ifndef TANDEM_LANES_GLSL
#define TANDEM_LANES_GLSL

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint LANES = 1;
layout(constant_id = 2) const bool COLUMNS = false;

#define GROUP_SIZE gl_WorkGroupSize.x
const uint ITEMS = GROUP_SIZE / LANES;

#ifdef SUBGROUPS
// Which invocations make a subgroup is said by these numbers alone.
#define INVOCATION (gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID)
#define ShuffleXor(value, mask) subgroupShuffleXor(value, mask)
#else
#define INVOCATION gl_LocalInvocationID.x
#endif

#define LANE (COLUMNS ? INVOCATION / ITEMS : INVOCATION % LANES)
#define ITEM (COLUMNS ? INVOCATION % ITEMS : INVOCATION / LANES)
// The item's number in the dispatch; it may be beyond the last.
#define LINEAR_ITEM (LINEAR_GROUP * ITEMS + ITEM)

#ifdef SUBGROUPS
// First the lanes of each subgroup, then the subgroups of each item.
#define DEFINE_COMBINE_LANES(NAME, TYPE, COMBINE)                              \
  shared TYPE NAME##Shared[GROUP_SIZE];                                        \
  TYPE NAME(TYPE value) {                                                      \
    const uint near = min(LANES, gl_SubgroupSize);                             \
    for (uint mask = 1; mask < near; mask *= 2) {                              \
      const TYPE other = ShuffleXor(value, mask);                              \
      value = COMBINE(value, other);                                           \
    }                                                                          \
    if (LANES > gl_SubgroupSize) {                                             \
      if (gl_SubgroupInvocationID == 0) NAME##Shared[gl_SubgroupID] = value;   \
      barrier();                                                               \
      const uint first = ITEM * LANES / gl_SubgroupSize;                       \
      value = NAME##Shared[first];                                             \
      for (uint i = 1; i < LANES / gl_SubgroupSize; ++i) {                     \
        const TYPE other = NAME##Shared[first + i];                            \
        value = COMBINE(value, other);                                         \
      }                                                                        \
      barrier();                                                               \
    }                                                                          \
    return value;                                                              \
  }
#else
#define DEFINE_COMBINE_LANES(NAME, TYPE, COMBINE)                              \
  shared TYPE NAME##Shared[GROUP_SIZE];                                        \
  TYPE NAME(TYPE value) {                                                      \
    if (LANES == 1) return value;                                              \
    const uint step = COLUMNS ? ITEMS : 1;                                     \
    const uint here = INVOCATION;                                              \
    NAME##Shared[here] = value;                                                \
    barrier();                                                                 \
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {       \
      if (LANE < half_lanes) {                                                 \
        const TYPE other = NAME##Shared[here + half_lanes * step];             \
        value = COMBINE(value, other);                                         \
        NAME##Shared[here] = value;                                            \
      }                                                                        \
      barrier();                                                               \
    }                                                                          \
    value = NAME##Shared[here - LANE * step];                                  \
    barrier();                                                                 \
    return value;                                                              \
  }
#endif

#endif  // TANDEM_LANES_GLSL
