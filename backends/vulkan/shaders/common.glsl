// What every shader of this backend includes: the type it is compiled for, and the index of its
// work group.
//
//   #version 450
//   #include "backends/vulkan/shaders/common.glsl"
//   layout(local_size_x_id = 0) in;
//   layout(set = 0, binding = 0) readonly buffer X { T x[]; };
//   layout(set = 0, binding = 1) writeonly buffer Y { T y[]; };
//   layout(push_constant) uniform Constants { uint n; T factor; };
//   void main() {
//     const uint i = LINEAR_GROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
//     if (i < n) y[i] = factor * x[i];
//   }
//
// The rule `shaders` defines one of
//   DTYPE_F32 DTYPE_F64 DTYPE_I32 DTYPE_I64   arithmetic:    T, ZERO, ONE; IS_FLOAT or IS_INTEGER
//   DTYPE_B1 DTYPE_B2 DTYPE_B4 DTYPE_B8       data movement: T has that many bytes, and ZERO
//   DTYPE_B16
// or none of them (`types = []`); then there is no T. DTYPE_B1 and DTYPE_B2 need the features
// storage8 and storage16 of the device, the 64-bit arithmetic types float64 and int64.
#ifndef TANDEM_BACKENDS_VULKAN_SHADERS_COMMON_GLSL_
#define TANDEM_BACKENDS_VULKAN_SHADERS_COMMON_GLSL_

// The index of the work group in a LinearGrid (vulkan_kernel.h), which has more groups than asked
// for: those beyond the last must do nothing. Below 2^32, for a grid of at most 2^31 groups.
#define LINEAR_GROUP (gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x)

#if defined(DTYPE_F32)
#define T float
#define ZERO 0.0
#define ONE 1.0
#define IS_FLOAT 1
#elif defined(DTYPE_F64)
#define T double
#define ZERO 0.0lf
#define ONE 1.0lf
#define IS_FLOAT 1
#elif defined(DTYPE_I32)
#define T int
#define ZERO 0
#define ONE 1
#define IS_INTEGER 1
#elif defined(DTYPE_I64)
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#define T int64_t
#define ZERO 0l
#define ONE 1l
#define IS_INTEGER 1
#elif defined(DTYPE_B1)
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#define T uint8_t
#define ZERO uint8_t(0)
#elif defined(DTYPE_B2)
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int16 : require
#define T uint16_t
#define ZERO uint16_t(0)
#elif defined(DTYPE_B4)
#define T uint
#define ZERO 0u
#elif defined(DTYPE_B8)
#define T uvec2
#define ZERO uvec2(0u)
#elif defined(DTYPE_B16)
#define T uvec4
#define ZERO uvec4(0u)
#endif

#ifndef IS_FLOAT
#define IS_FLOAT 0
#endif
#ifndef IS_INTEGER
#define IS_INTEGER 0
#endif

#endif  // TANDEM_BACKENDS_VULKAN_SHADERS_COMMON_GLSL_
