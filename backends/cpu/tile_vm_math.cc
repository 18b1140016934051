// Transcendental functions on tiles.

#include "tandem/backends/cpu/large_angle.h"
#include "tandem/backends/cpu/tile_vm_isa.h"
#include "tandem/backends/cpu/vector_math.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

template <typename T, typename Fn>
TANDEM_INLINE void Map(const void* a, void* out, int64_t n, Fn fn) {
  const T* x = static_cast<const T*>(a);
  T* y = static_cast<T*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = fn(x[i]);
}

#define TANDEM_MAP(name)                                                           \
  template <typename T>                                                            \
  void name##Tile(const void* a, const void*, const void*, void* out, int64_t n) { \
    Map<T>(                                                                        \
        a, out, n, [](T x) __attribute__((always_inline)) { return name(x); });    \
  }
TANDEM_MAP(Exp)
TANDEM_MAP(Expm1)
TANDEM_MAP(Log)
TANDEM_MAP(Log1p)
TANDEM_MAP(Tanh)
#undef TANDEM_MAP

// sin(x + quadrants · pi/2) of any x.
template <typename T>
T SinAny(T x, int64_t quadrants, double limit) {
  if (Abs(static_cast<double>(x)) <= limit) return SinSmall(x, quadrants);
  if (!(Abs(x) < FloatTraits<T>::kInfinity)) return x - x;  // NaN
  const ReducedAngle reduced = ReduceLargeAngle(x);
  return static_cast<T>(SinOfReduced(reduced.n + quadrants, reduced.r, reduced.tail));
}

template <typename T, int kQuadrants>
void SinTile(const void* a, const void*, const void*, void* out, int64_t n) {
  const T* x = static_cast<const T*>(a);
  constexpr double kLimit = sizeof(T) == 4 ? kMaxSinF32 : kMaxSinF64;
  using Int = typename FloatTraits<T>::Int;
  // Few tiles have a large angle (or NaN). Look first: the result may overwrite the argument.
  Int large = 0;
  for (int64_t i = 0; i < n; ++i) large |= Abs(x[i]) <= T(kLimit) ? Int(0) : Int(1);
  if (large == 0) {
    Map<T>(
        a, out, n, [](T v) __attribute__((always_inline)) { return SinSmall(v, kQuadrants); });
    return;
  }
  T* y = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) y[i] = SinAny(x[i], kQuadrants, kLimit);
}

template <typename T>
TileFn FindMathOf(TileOp op) {
  switch (op) {
    case TileOp::kExp:
      return ExpTile<T>;
    case TileOp::kExpm1:
      return Expm1Tile<T>;
    case TileOp::kLog:
      return LogTile<T>;
    case TileOp::kLog1p:
      return Log1pTile<T>;
    case TileOp::kTanh:
      return TanhTile<T>;
    case TileOp::kSin:
      return SinTile<T, 0>;
    case TileOp::kCos:
      return SinTile<T, 1>;
    default:
      return nullptr;
  }
}

}  // namespace

TileFn FindMath(TileOp op, ScalarType type) {
  if (type == ScalarType::kF32) return FindMathOf<float>(op);
  if (type == ScalarType::kF64) return FindMathOf<double>(op);
  return nullptr;
}

}  // namespace tandem::cpu_backend::TANDEM_ISA
