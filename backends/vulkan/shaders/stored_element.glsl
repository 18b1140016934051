// Elements that are stored in 16 bits and computed with as f32: STORE_F16 or STORE_BF16; otherwise
// they are stored as they are computed with. Include after common.glsl.
//
//   buffer X { Stored x[]; };   T value = Widen(x[i]);   x[i] = Narrow(value);
#ifndef TANDEM_BACKENDS_VULKAN_SHADERS_STORED_ELEMENT_GLSL_
#define TANDEM_BACKENDS_VULKAN_SHADERS_STORED_ELEMENT_GLSL_

#if defined(STORE_F16)
// Macros, since values of f16 outside of memory would need arithmetic in f16.
#extension GL_EXT_shader_16bit_storage : require
#define Stored float16_t
#define Widen(stored) float(stored)
#define Narrow(value) float16_t(value)
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
#else
#define Stored T
T Widen(T stored) { return stored; }
T Narrow(T value) { return value; }
#endif

#endif  // TANDEM_BACKENDS_VULKAN_SHADERS_STORED_ELEMENT_GLSL_
