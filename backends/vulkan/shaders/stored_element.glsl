// Elements that are stored in 16 bits and computed with as f32: STORE_F16 or STORE_BF16; otherwise
// they are stored as they are computed with. Include after common.glsl.
//
//   buffer X { Stored x[]; };   T value = Widen(x[i]);   x[i] = Narrow(value);
//   buffer Fours { StoredFour fours[]; };   T4 values = WidenFour(fours[i]);  // four neighbours
#ifndef TANDEM_BACKENDS_VULKAN_SHADERS_STORED_ELEMENT_GLSL_
#define TANDEM_BACKENDS_VULKAN_SHADERS_STORED_ELEMENT_GLSL_

#if defined(STORE_F16)
// Macros, since values of f16 outside of memory would need arithmetic in f16.
#extension GL_EXT_shader_16bit_storage : require
#define Stored float16_t
#define Widen(stored) float(stored)
#define Narrow(value) float16_t(value)
#define T4 vec4
#define StoredFour f16vec4
#define WidenFour(stored) vec4(stored)
#elif defined(STORE_BF16)
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int16 : require
#define Stored uint16_t
float Widen(uint16_t stored) { return uintBitsToFloat(uint(stored) << 16); }
// To the nearest, ties to even; a NaN stays one.
uint16_t Narrow(float value) {
  const uint bits = floatBitsToUint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t((bits >> 16) | 0x40u);
  return uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
#define T4 vec4
#define StoredFour u16vec4
vec4 WidenFour(u16vec4 stored) { return uintBitsToFloat(uvec4(stored) << 16); }
#else
#define Stored T
T Widen(T stored) { return stored; }
T Narrow(T value) { return value; }
#if defined(DTYPE_F32)
#define T4 vec4
#elif defined(DTYPE_F64)
#define T4 dvec4
#elif defined(DTYPE_I32)
#define T4 ivec4
#else
#define T4 i64vec4
#endif
#define StoredFour T4
T4 WidenFour(T4 stored) { return stored; }
#endif

#endif  // TANDEM_BACKENDS_VULKAN_SHADERS_STORED_ELEMENT_GLSL_
