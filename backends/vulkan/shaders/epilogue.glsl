// What may follow a sum before it is stored: a bias, then an activation, both specialization
// constants, so that a program without them has no code for them. Include after common.glsl.
//
// The numbers are those of Epilogue in kernels/contraction.h. f64 and integers have no activation but
// relu: GLSL has no functions of doubles.
#ifndef TANDEM_BACKENDS_VULKAN_SHADERS_EPILOGUE_GLSL_
#define TANDEM_BACKENDS_VULKAN_SHADERS_EPILOGUE_GLSL_

layout(constant_id = 12) const uint BIAS = 0;
layout(constant_id = 13) const uint ACTIVATION = 0;

const uint BIAS_NONE = 0;
const uint BIAS_COLUMN = 1;  // an element for each column
const uint BIAS_ROW = 2;     // an element for each row

T Activate(T x) {
  if (ACTIVATION == 1u) return x < ZERO ? ZERO : x;  // NaN stays NaN
  return x;
}

#endif  // TANDEM_BACKENDS_VULKAN_SHADERS_EPILOGUE_GLSL_
