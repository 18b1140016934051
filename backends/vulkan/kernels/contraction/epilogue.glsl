// What may follow a sum before it is stored: a bias, then an activation, both specialization
// constants, so that a program without them has no code for them. Include after common.glsl.
//
// The numbers are those of Epilogue in contraction.h. Only f32 has activations other than
// relu. They round as the ops of the same names do when those run by themselves.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_EPILOGUE_GLSL_
#define TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_EPILOGUE_GLSL_

layout(constant_id = 12) const uint BIAS = 0;
layout(constant_id = 13) const uint ACTIVATION = 0;

const uint BIAS_NONE = 0;
const uint BIAS_COLUMN = 1;  // an element for each column
const uint BIAS_ROW = 2;     // an element for each row

#include "backends/vulkan/shaders/classify.glsl"

#ifdef DTYPE_F32

#include "backends/vulkan/shaders/math_f32.glsl"

// The fits of core/op/scalar_lowering.cc.
float Erf(float x) {
  const float magnitude = abs(x);
  const float square = x * x;
  precise float near = 8.371978492e-5;
  near = near * square - 0.0008143182123;
  near = near * square + 0.005201077604;
  near = near * square - 0.02685941789;
  near = near * square + 0.1128369587;
  near = near * square - 0.3761263376;
  near = near * square + 1.128379167;
  const float clamped = 4.0 < magnitude ? 4.0 : magnitude;  // NaN stays
  precise float far = -1.860785614e-5;
  far = far * clamped + 0.0004029963482;
  far = far * clamped - 0.00400703914;
  far = far * clamped + 0.02466178287;
  far = far * clamped - 0.1075403118;
  far = far * clamped - 0.6340412869;
  far = far * clamped - 1.129163732;
  far = far * clamped + 0.0001006908629;
  const float large = 1.0 - Exp(far);
  return magnitude < 0.9 ? x * near : (x < 0.0 ? -large : large);
}

// 1 / (1 + e^-x) without overflow.
float Sigmoid(float x) {
  precise const float e = Exp(-abs(x));
  precise const float y = (x < 0.0 ? e : 1.0) / (1.0 + e);
  return y;
}

float Activate(float x) {
  switch (ACTIVATION) {
    case 1u:
      return x < 0.0 ? 0.0 : x;  // NaN stays NaN
    case 2u:
      return Sigmoid(x);
    case 3u:
      return Tanh(x);
    case 4u:
      return x * Sigmoid(x);
    case 5u:
      return 0.5 * x * (1.0 + Erf(x * 0.70710678118654752));
    case 6u:
      return 0.5 * x * (1.0 + Tanh(0.79788456080286536 * (x + 0.044715 * (x * (x * x)))));
    default:
      return x;
  }
}

#else

T Activate(T x) { return ACTIVATION == 1u && x < ZERO ? ZERO : x; }

#endif

// The result of a sum, after its bias.
#if IS_FLOAT
T Finish(T sum) { return Canonical(Activate(sum)); }
#else
T Finish(T sum) { return Activate(sum); }
#endif

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_CONTRACTION_EPILOGUE_GLSL_
