#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/large_angle.h"
#include "tandem/backends/cpu/tile_vm.h"

namespace tandem::cpu_backend {
namespace {

// f32 against libm in f64, f64 against libm in long double (64 bits of fraction).
template <typename T>
struct Reference;
template <>
struct Reference<float> {
  using Wide = double;
  static constexpr ScalarType kType = ScalarType::kF32;
};
template <>
struct Reference<double> {
  using Wide = long double;
  static constexpr ScalarType kType = ScalarType::kF64;
};

template <typename T>
typename Reference<T>::Wide Exact(TileOp op, T x) {
  const typename Reference<T>::Wide w = x;
  switch (op) {
    case TileOp::kExp:
      return std::exp(w);
    case TileOp::kExpm1:
      return std::expm1(w);
    case TileOp::kLog:
      return std::log(w);
    case TileOp::kLog1p:
      return std::log1p(w);
    case TileOp::kSin:
      return std::sin(w);
    case TileOp::kCos:
      return std::cos(w);
    default:
      return std::tanh(w);
  }
}

const char* NameOf(TileOp op) {
  switch (op) {
    case TileOp::kExp:
      return "exp";
    case TileOp::kExpm1:
      return "expm1";
    case TileOp::kLog:
      return "log";
    case TileOp::kLog1p:
      return "log1p";
    case TileOp::kSin:
      return "sin";
    case TileOp::kCos:
      return "cos";
    default:
      return "tanh";
  }
}

constexpr TileOp kFunctions[] = {TileOp::kExp, TileOp::kExpm1, TileOp::kLog, TileOp::kLog1p,
                                 TileOp::kSin, TileOp::kCos,   TileOp::kTanh};

// The distance of neighbours at `exact`, rounded to T.
template <typename T>
typename Reference<T>::Wide UlpAt(typename Reference<T>::Wide exact) {
  const T magnitude = std::abs(static_cast<T>(exact));
  if (magnitude < std::numeric_limits<T>::min()) return std::numeric_limits<T>::denorm_min();
  int exponent;
  std::frexp(magnitude, &exponent);
  return std::ldexp(typename Reference<T>::Wide(1), exponent - std::numeric_limits<T>::digits);
}

// The error in ulp; 0 where both are NaN or the same infinity, huge where only one is.
template <typename T>
double UlpError(T got, typename Reference<T>::Wide exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(rounded) || std::isnan(got)) {
    return std::isnan(rounded) == std::isnan(got) ? 0 : HUGE_VAL;
  }
  if (std::isinf(rounded) || std::isinf(got)) {
    if (rounded == got) return 0;
    // Just around the limit, the largest number and infinity are one ulp apart.
    const T limit = std::numeric_limits<T>::max();
    return std::abs(rounded) >= limit && std::abs(got) >= limit && (rounded > 0) == (got > 0)
               ? 1
               : HUGE_VAL;
  }
  return static_cast<double>(std::abs(static_cast<typename Reference<T>::Wide>(got) - exact) /
                             UlpAt<T>(exact));
}

template <typename T>
std::vector<T> Arguments() {
  using Int = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  std::vector<T> x;
  // Every exponent and sign, with random fractions.
  std::mt19937_64 random(20240611);
  const int fraction = std::numeric_limits<T>::digits - 1;
  const Int exponents = Int{1} << (sizeof(T) * 8 - fraction);
  const int each = sizeof(T) == 4 ? 2000 : 250;
  for (Int e = 0; e < exponents; ++e) {
    for (int i = 0; i < each; ++i) {
      const Int bits = (e << fraction) | (static_cast<Int>(random()) & ((Int{1} << fraction) - 1));
      x.push_back(std::bit_cast<T>(bits));
    }
  }
  // Densely where the functions have their features, and around the limits of reductions.
  for (int i = -200000; i <= 200000; ++i) x.push_back(static_cast<T>(i) * T(0x1p-11));
  for (int i = -200000; i <= 200000; ++i) x.push_back(static_cast<T>(i) * T(0x1p-17));
  for (int i = 0; i < 100000; ++i) {
    const T near = static_cast<T>(i) * static_cast<T>(1.5707963267948966);
    x.push_back(near);
    x.push_back(std::nextafter(near, T(0)));
  }
  for (double special : {0.0,    1.0,
                         0.5,    88.7228,
                         88.73,  89.0,
                         103.97, 104.0,
                         105.0,  709.78,
                         709.79, 710.0,
                         745.13, 745.2,
                         746.0,  0.625,
                         20.0,   40.0,
                         0x1p26, 0x1p20,
                         1e22,   6381956970095103.0 * 0x1p797}) {
    for (T sign : {T(1), T(-1)}) {
      const T v = sign * static_cast<T>(special);
      x.push_back(v);
      x.push_back(std::nextafter(v, std::numeric_limits<T>::infinity()));
      x.push_back(std::nextafter(v, -std::numeric_limits<T>::infinity()));
    }
  }
  x.push_back(std::numeric_limits<T>::infinity());
  x.push_back(-std::numeric_limits<T>::infinity());
  x.push_back(std::numeric_limits<T>::quiet_NaN());
  return x;
}

std::vector<Isa> Levels() {
  std::vector<Isa> levels;
  for (Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (isa <= DetectIsa()) levels.push_back(isa);
  }
  return levels;
}

template <typename T>
void Sweep() {
  const std::vector<T> x = Arguments<T>();
  std::vector<T> y(x.size()), other(x.size());
  for (TileOp op : kFunctions) {
    SCOPED_TRACE(NameOf(op));
    const TileFn fn = FindTileFn(Isa::kBaseline, op, Reference<T>::kType, 0);
    ASSERT_NE(fn, nullptr);
    constexpr size_t kTile = 1024;
    const auto run = [&](TileFn f, std::vector<T>* out) {
      for (size_t i = 0; i < x.size(); i += kTile) {
        f(&x[i], nullptr, nullptr, &(*out)[i], std::min(kTile, x.size() - i));
      }
    };
    run(fn, &y);
    double worst = 0;
    size_t where = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double error = UlpError<T>(y[i], Exact(op, x[i]));
      if (error > worst) {
        worst = error;
        where = i;
      }
    }
    testing::Test::RecordProperty(NameOf(op), std::to_string(worst));
    std::printf("%s %s: %.3f ulp at %.17g\n", sizeof(T) == 4 ? "f32" : "f64", NameOf(op), worst,
                static_cast<double>(x[where]));
    EXPECT_LE(worst, 4) << "at " << x[where] << ": " << y[where];
    // The same bits at every level, and in place.
    for (Isa isa : Levels()) {
      run(FindTileFn(isa, op, Reference<T>::kType, 0), &other);
      std::vector<T> in_place = x;
      const TileFn f = FindTileFn(isa, op, Reference<T>::kType, 0);
      for (size_t i = 0; i < x.size(); i += kTile) {
        f(&in_place[i], nullptr, nullptr, &in_place[i], std::min(kTile, x.size() - i));
      }
      int different = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(y[i]) && std::isnan(other[i]) && std::isnan(in_place[i])) continue;
        using Int = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
        const Int bits = std::bit_cast<Int>(y[i]);
        if (std::bit_cast<Int>(other[i]) != bits || std::bit_cast<Int>(in_place[i]) != bits) {
          if (++different < 5) ADD_FAILURE() << IsaName(isa) << " differs at " << x[i];
        }
      }
      EXPECT_EQ(different, 0);
    }
  }
}

TEST(VectorMathTest, F32WithinFourUlp) { Sweep<float>(); }
TEST(VectorMathTest, F64WithinFourUlp) { Sweep<double>(); }

TEST(VectorMathTest, SignsOfZeroAreKept) {
  for (TileOp op : {TileOp::kExpm1, TileOp::kLog1p, TileOp::kSin, TileOp::kTanh}) {
    for (ScalarType type : {ScalarType::kF32, ScalarType::kF64}) {
      for (Isa isa : Levels()) {
        const TileFn fn = FindTileFn(isa, op, type, 0);
        float f = -0.0f;
        double d = -0.0;
        fn(type == ScalarType::kF32 ? static_cast<void*>(&f) : &d, nullptr, nullptr,
           type == ScalarType::kF32 ? static_cast<void*>(&f) : &d, 1);
        EXPECT_TRUE(f == 0 && std::signbit(f)) << NameOf(op);
        EXPECT_TRUE(d == 0 && std::signbit(d)) << NameOf(op);
      }
    }
  }
}

TEST(LargeAngleTest, RemainderAndQuadrantAgreeWithLongDouble) {
  // 2^62 and beyond, long double's sine has enough bits to judge a double's remainder.
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    const double x =
        std::ldexp(1.0 + (random() >> 12) * 0x1p-52, static_cast<int>(random() % 1000));
    if (x < 4) continue;
    const ReducedAngle a = ReduceLargeAngle(x);
    ASSERT_LE(std::abs(a.r), 0.7853981633974484) << x;
    const long double r = static_cast<long double>(a.r) + a.tail;
    const long double exact = std::sin(static_cast<long double>(x));
    const long double got = (a.n & 1) != 0 ? std::cos(r) : std::sin(r);
    const long double signed_got = (a.n & 2) != 0 ? -got : got;
    ASSERT_NEAR(static_cast<double>((signed_got - exact) / std::abs(exact)), 0, 0x1p-58) << x;
    const ReducedAngle mirrored = ReduceLargeAngle(-x);
    ASSERT_EQ(mirrored.r, -a.r);
    ASSERT_EQ(mirrored.n, -a.n & 3);
  }
}

}  // namespace
}  // namespace tandem::cpu_backend
