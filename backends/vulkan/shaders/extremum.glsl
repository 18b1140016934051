// Comparisons in which a NaN is the extremum, and numbers that GLSL has no literals for.
//
// For T of float, double or int, and for uvec2 as an integer of 64 bits. Include after common.glsl.
#ifndef TANDEM_EXTREMUM_GLSL
#define TANDEM_EXTREMUM_GLSL

#if defined(DTYPE_F32)
#include "backends/vulkan/shaders/math_f32.glsl"
#define INFINITY InfinityF32()
#define NOT_A_NUMBER NanF32()
bool Less(float a, float b) { return a < b; }
// A number of the host by its bits.
float FromBits(uvec2 bits) { return uintBitsToFloat(bits.x); }
#elif defined(DTYPE_F64)
#include "backends/vulkan/shaders/math_f64.glsl"
#define INFINITY InfinityF64()
#define NOT_A_NUMBER NanF64()
bool Less(double a, double b) { return a < b; }
double FromBits(uvec2 bits) { return packDouble2x32(bits); }
#else
#include "backends/vulkan/shaders/wide_integer.glsl"
bool IsNan(int x) { return false; }
bool IsNan(uvec2 x) { return false; }
bool Less(int a, int b) { return a < b; }
bool Less(uvec2 a, uvec2 b) { return Less64(a, b); }
#endif

// The larger or smaller of two, NaN if one is.
#define LARGER(a, b) (Less(b, a) || IsNan(a) ? (a) : (b))
#define SMALLER(a, b) (Less(a, b) || IsNan(a) ? (a) : (b))

#endif  // TANDEM_EXTREMUM_GLSL
