// exp, log, sin, … of one number, written so that a loop over them becomes vector instructions:
// no branches, no tables, no calls.
//
//   for (int64_t i = 0; i < n; ++i) y[i] = Exp(x[i]);
//
// All functions are within 4 ulp of the exact value for every argument, infinities, NaN and
// subnormal numbers included (vector_math_test.cc measures it). Compiled with -ffp-contract=off
// they give the same bits at every level of isa_library, because nothing else may round. So this
// header is for sources of isa_library; everything in it is inlined, in the namespace of the level.
//
// Methods: arguments are reduced after Cody and Waite, "Software Manual for the Elementary
// Functions" (1980); polynomials are the classic minimax ones, or Taylor's where the interval is
// small.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_CPU_VECTOR_MATH_H_
#define TANDEM_BACKENDS_CPU_VECTOR_MATH_H_

#include <cstdint>
#include <type_traits>

namespace tandem::cpu_backend::TANDEM_ISA {

#define TANDEM_INLINE inline __attribute__((always_inline))

template <typename To, typename From>
TANDEM_INLINE To BitsTo(From value) {
  return __builtin_bit_cast(To, value);
}

TANDEM_INLINE float Abs(float x) { return BitsTo<float>(BitsTo<uint32_t>(x) & 0x7FFFFFFFu); }
TANDEM_INLINE double Abs(double x) {
  return BitsTo<double>(BitsTo<uint64_t>(x) & 0x7FFFFFFFFFFFFFFFu);
}
// |x| with the sign of `sign`.
TANDEM_INLINE float WithSign(float x, float sign) {
  return BitsTo<float>((BitsTo<uint32_t>(x) & 0x7FFFFFFFu) |
                       (BitsTo<uint32_t>(sign) & 0x80000000u));
}
TANDEM_INLINE double WithSign(double x, double sign) {
  return BitsTo<double>((BitsTo<uint64_t>(x) & 0x7FFFFFFFFFFFFFFFu) |
                        (BitsTo<uint64_t>(sign) & 0x8000000000000000u));
}

// What differs between f32 and f64.
template <typename T>
struct FloatTraits;

template <>
struct FloatTraits<float> {
  using Int = int32_t;
  static constexpr int kMantissa = 23;
  static constexpr Int kBias = 127;
  // Adding it to |x| < 2^22 rounds x to an integer, which is then in the lowest bits.
  static constexpr float kRoundMagic = 0x1.8p23f;
  static constexpr float kMinNormal = 0x1p-126f;
  static constexpr float kInfinity = __builtin_inff();
  // ln 2 in two parts: the first times a number of 9 bits is exact.
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  // Beyond these exp is inf and 0, expm1 -1.
  static constexpr float kExpHigh = 89.0f, kExpLow = -105.0f, kExpm1Low = -20.0f;
  // Subnormal numbers times 2^kLift are normal.
  static constexpr int kLift = 25;
  // sqrt(2) / 2 as bits; ln 2 in two parts for the logarithm.
  static constexpr Int kSqrtHalf = 0x3F3504F3;
  static constexpr float kLogLn2High = 6.9313812256e-01f, kLogLn2Low = 9.0580006145e-06f;
};

template <>
struct FloatTraits<double> {
  using Int = int64_t;
  static constexpr int kMantissa = 52;
  static constexpr Int kBias = 1023;
  static constexpr double kRoundMagic = 0x1.8p52;
  static constexpr double kMinNormal = 0x1p-1022;
  static constexpr double kInfinity = __builtin_inf();
  static constexpr double kLn2High = 6.93147180369123816490e-01;
  static constexpr double kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kExpHigh = 710.0, kExpLow = -746.0, kExpm1Low = -40.0;
  static constexpr int kLift = 54;
  static constexpr Int kSqrtHalf = 0x3FE6A09E667F3BCD;
  static constexpr double kLogLn2High = kLn2High, kLogLn2Low = kLn2Low;
};

// 2^n for a normal result.
template <typename T>
TANDEM_INLINE T PowerOf2(typename FloatTraits<T>::Int n) {
  return BitsTo<T>((n + FloatTraits<T>::kBias) << FloatTraits<T>::kMantissa);
}

// x · 2^n, rounded once, also where 2^n or the result is subnormal or infinite.
template <typename T>
TANDEM_INLINE T Scale(T x, typename FloatTraits<T>::Int n) {
  const typename FloatTraits<T>::Int half = n >> 1;
  return x * PowerOf2<T>(half) * PowerOf2<T>(n - half);
}

// --- exp, expm1 ----------------------------------------------------------------------------------

// (e^r - 1 - r) / r² for |r| <= ln(2)/2.
TANDEM_INLINE float ExpTail(float r) {
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  return p * r + 5.0000001201e-1f;
}
TANDEM_INLINE double ExpTail(double r) {
  // Taylor's series; the first term left out is below 2^-57 of e^r.
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  return p * r + 0.5;
}

// x = n ln 2 + r.
template <typename T>
struct ExpReduction {
  typename FloatTraits<T>::Int n;
  T r;
};

template <typename T>
TANDEM_INLINE ExpReduction<T> ReduceExp(T x) {
  using Traits = FloatTraits<T>;
  using Int = typename Traits::Int;
  const T shifted = x * T(1.4426950408889634) + Traits::kRoundMagic;
  const T n = shifted - Traits::kRoundMagic;
  return {BitsTo<Int>(shifted) - BitsTo<Int>(Traits::kRoundMagic),
          (x - n * Traits::kLn2High) - n * Traits::kLn2Low};
}

template <typename T>
TANDEM_INLINE T Exp(T x) {
  using Traits = FloatTraits<T>;
  x = x > Traits::kExpHigh ? Traits::kExpHigh : x;  // NaN stays
  x = x < Traits::kExpLow ? Traits::kExpLow : x;
  const ExpReduction<T> e = ReduceExp(x);
  const T y = (ExpTail(e.r) * (e.r * e.r) + e.r) + T(1);
  return Scale(y, e.n);
}

template <typename T>
TANDEM_INLINE T Expm1(T x) {
  using Traits = FloatTraits<T>;
  T clamped = x > Traits::kExpHigh ? Traits::kExpHigh : x;
  clamped = clamped < Traits::kExpm1Low ? Traits::kExpm1Low : clamped;
  const ExpReduction<T> e = ReduceExp(clamped);
  const T p = ExpTail(e.r) * (e.r * e.r) + e.r;  // e^r - 1
  // 2^n (1 + p) - 1. For small n, 2^n - 1 is exact; for large n the 1 does not matter.
  const bool large = e.n > Traits::kMantissa + 2;
  const T power = PowerOf2<T>(large ? 0 : e.n);
  const T y = large ? Scale(T(1) + p, e.n) : power * p + (power - T(1));
  return x == T(0) ? x : y;  // keeps -0
}

// --- log, log1p ----------------------------------------------------------------------------------

// (log(1+f) - log(1-f)) / f - 2 as a function of z = f²: after R. C. James' and Tang's scheme
// log(m) = f - (f²/2 - s (f²/2 + R)), s = f / (2 + f).
TANDEM_INLINE float LogTail(float z) {
  const float w = z * z;
  return w * (0.40000972152f + w * 0.24279078841f) + z * (0.66666662693f + w * 0.28498786688f);
}
TANDEM_INLINE double LogTail(double z) {
  const double w = z * z;
  const double even = w * (3.999999999940941908e-01 +
                           w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const double odd = z * (6.666666666666735130e-01 +
                          w * (2.857142874366239149e-01 +
                               w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  return even + odd;
}

// log(2^k (1 + f)), 1 + f in [sqrt(1/2), sqrt(2)].
template <typename T>
TANDEM_INLINE T LogOf(T k, T f) {
  const T s = f / (T(2) + f);
  const T half_square = T(0.5) * f * f;
  const T tail = s * (half_square + LogTail(s * s)) + k * FloatTraits<T>::kLogLn2Low;
  return k * FloatTraits<T>::kLogLn2High - ((half_square - tail) - f);
}

// x = 2^k m, m in [sqrt(1/2), sqrt(2)), for a normal x > 0.
template <typename T>
struct LogReduction {
  typename FloatTraits<T>::Int k;
  T m;
};

template <typename T>
TANDEM_INLINE LogReduction<T> ReduceLog(T x) {
  using Traits = FloatTraits<T>;
  using Int = typename Traits::Int;
  constexpr Int kOne = Traits::kBias << Traits::kMantissa;
  constexpr Int kFraction = (Int(1) << Traits::kMantissa) - 1;
  using Bits = std::make_unsigned_t<Int>;
  // Unsigned: the sum of a NaN's bits wraps, and its result is replaced.
  const Int bits = static_cast<Int>(static_cast<Bits>(BitsTo<Int>(x)) +
                                    static_cast<Bits>(kOne - Traits::kSqrtHalf));
  return {(bits >> Traits::kMantissa) - Traits::kBias,
          BitsTo<T>((bits & kFraction) + Traits::kSqrtHalf)};
}

// A small integer as a floating-point number, by arithmetic that every level has.
TANDEM_INLINE float ToFloating(int32_t n) { return static_cast<float>(n); }
TANDEM_INLINE double ToFloating(int64_t n) {
  return BitsTo<double>(BitsTo<int64_t>(0x1.8p52) + n) - 0x1.8p52;
}

template <typename T>
TANDEM_INLINE T Log(T x) {
  using Traits = FloatTraits<T>;
  const bool subnormal = x < Traits::kMinNormal;
  const T lifted = subnormal ? x * PowerOf2<T>(Traits::kLift) : x;
  const LogReduction<T> l = ReduceLog(lifted);
  T y = LogOf(ToFloating(l.k) - (subnormal ? T(Traits::kLift) : T(0)), l.m - T(1));
  y = x == Traits::kInfinity ? x : y;
  y = x == T(0) ? -Traits::kInfinity : y;
  return x < T(0) ? T(__builtin_nan("")) : (x != x ? x : y);
}

template <typename T>
TANDEM_INLINE T Log1p(T x) {
  using Traits = FloatTraits<T>;
  using Int = typename Traits::Int;
  const T u = T(1) + x;
  const LogReduction<T> l = ReduceLog(u);
  // What rounding u lost. For large x it is below half an ulp of the result.
  T lost = u > T(2) ? T(1) - (u - x) : x - (u - T(1));
  const Int k = l.k > 60 ? Int(60) : l.k;
  lost = l.k > 60 ? T(0) : lost;
  T y = LogOf(ToFloating(l.k), (l.m - T(1)) + lost * PowerOf2<T>(-k));
  y = x == Traits::kInfinity ? x : y;
  y = x == T(0) ? x : y;  // keeps -0
  y = x == T(-1) ? -Traits::kInfinity : y;
  return x < T(-1) ? T(__builtin_nan("")) : (x != x ? x : y);
}

// --- tanh ----------------------------------------------------------------------------------------

// tanh(x) / x - 1 for |x| < 0.625, z = x².
TANDEM_INLINE float TanhNear(float z) {
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  return p * z;
}
TANDEM_INLINE double TanhNear(double z) {
  double p = -9.64399179425052238628e-1;
  p = p * z - 9.92877231001918586564e1;
  p = p * z - 1.61468768441708447952e3;
  double q = z + 1.12811678491632931402e2;
  q = q * z + 2.23548839060100448583e3;
  q = q * z + 4.84406305325125486048e3;
  return z * (p / q);
}

template <typename T>
TANDEM_INLINE T Tanh(T x) {
  const T magnitude = Abs(x);
  // Beyond 30 the result is 1; the clamp keeps the unused half of the other branch finite.
  const T clamped = magnitude > T(30) ? T(30) : magnitude;
  const T far = T(1) - T(2) / (Exp(clamped + clamped) + T(1));
  const T near = x + x * TanhNear(x * x);
  return x != x ? x : WithSign(magnitude < T(0.625) ? near : far, x);  // the sign of -0, too
}

// --- sin, cos ------------------------------------------------------------------------------------

// sin and cos of r + tail, |r| <= pi/4.
TANDEM_INLINE double SinKernel(double r, double tail) {
  const double z = r * r;
  const double v = z * r;
  const double p = 8.33333333332248946124e-03 +
                   z * (-1.98412698298579493134e-04 +
                        z * (2.75573137070700676789e-06 +
                             z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)));
  return r - ((z * (0.5 * tail - v * p) - tail) - v * -1.66666666666666324348e-01);
}
TANDEM_INLINE double CosKernel(double r, double tail) {
  const double z = r * r;
  const double p =
      z * (4.16666666666666019037e-02 +
           z * (-1.38888888888741095749e-03 +
                z * (2.48015872894767294178e-05 +
                     z * (-2.75573143513906633035e-07 +
                          z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
  const double half = 0.5 * z;
  const double w = 1.0 - half;
  return w + (((1.0 - w) - half) + (z * p - r * tail));
}

// sin(x + quadrants · pi/2) from x = n · pi/2 + r + tail.
TANDEM_INLINE double SinOfReduced(int64_t n, double r, double tail) {
  const double s = SinKernel(r, tail);
  const double c = CosKernel(r, tail);
  const double y = (n & 1) != 0 ? c : s;
  return BitsTo<double>(BitsTo<int64_t>(y) ^ ((n & 2) << 62));
}

// The largest arguments that the reductions below are made for.
constexpr double kMaxSinF32 = 0x1p26;
constexpr double kMaxSinF64 = 0x1p20;

// sin(x + quadrants · pi/2) for |x| <= kMaxSinF32. f32 is calculated in f64, where two parts of
// pi/2 leave nothing to correct.
TANDEM_INLINE float SinSmall(float argument, int64_t quadrants) {
  const double x = argument;
  const double shifted = x * 0x1.45f306dc9c883p-1 + 0x1.8p52;
  const double n = shifted - 0x1.8p52;
  // n has 26 bits, the first two parts of pi/2 have 25: the products are exact.
  const double r = ((x - n * 0x1.921fb5p+0) - n * 0x1.110b46p-26) - n * 0x1.1a62633145c07p-54;
  const float y = static_cast<float>(SinOfReduced(BitsTo<int64_t>(shifted) + quadrants, r, 0));
  return argument == 0.0f && quadrants == 0 ? argument : y;  // keeps -0
}

// The same for |x| <= kMaxSinF64.
TANDEM_INLINE double SinSmall(double x, int64_t quadrants) {
  const double shifted = x * 0x1.45f306dc9c883p-1 + 0x1.8p52;
  const double n = shifted - 0x1.8p52;
  // n has 20 bits, the first two parts 33. So x - n P1 is exact, and the rounding error of the next
  // difference can be had exactly (Knuth's TwoSum).
  const double first = x - n * 0x1.921fb544p+0;
  const double second = n * -0x1.0b4611a6p-34;
  const double sum = first + second;
  const double back = sum - first;
  const double error = (first - (sum - back)) + (second - back);
  const double third = n * 0x1.3198a2e037073p-69;
  const double r = sum - third;
  const double tail = ((sum - r) - third) + error;
  const double y = SinOfReduced(BitsTo<int64_t>(shifted) + quadrants, r, tail);
  return x == 0.0 && quadrants == 0 ? x : y;
}

}  // namespace tandem::cpu_backend::TANDEM_ISA

#endif  // TANDEM_BACKENDS_CPU_VECTOR_MATH_H_
