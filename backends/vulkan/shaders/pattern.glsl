// An element of the data movement types (b1 … b16) from the bits that it has on the host.
// Include after common.glsl.
#ifndef TANDEM_PATTERN_GLSL
#define TANDEM_PATTERN_GLSL

#if defined(DTYPE_B16)
T Pattern(uint low, uint high) { return T(low, high, low, high); }
#elif defined(DTYPE_B8)
T Pattern(uint low, uint high) { return T(low, high); }
#else
T Pattern(uint low, uint high) { return T(low); }
#endif

#endif  // TANDEM_PATTERN_GLSL
