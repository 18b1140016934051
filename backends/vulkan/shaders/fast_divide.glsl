// Division by a number that is the same for a whole dispatch, without dividing: the multiplier and
// the shift come from the host (fast_divide.h, which says why it is right).
//
//   uint row = Divide(element, columns);
//   uint column = element - row * columns.divisor;
#ifndef TANDEM_FAST_DIVIDE_GLSL
#define TANDEM_FAST_DIVIDE_GLSL

// Three words of the push constants, as struct FastDivisor on the host.
struct Divisor {
  uint divisor;
  uint multiplier;
  uint shift;
};

// n / d for n < 2^31.
uint Divide(uint n, Divisor d) {
  uint high, low;
  umulExtended(n, d.multiplier, high, low);
  return (high + n) >> d.shift;
}

#endif  // TANDEM_FAST_DIVIDE_GLSL
