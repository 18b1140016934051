// Arithmetic, comparisons and selection on tiles.

#include <type_traits>

#include "tandem/backends/cpu/tile_vm_isa.h"
#include "tandem/backends/cpu/vector_math.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

using Bool = uint8_t;

// Operations are structs with a static Do(), so that each loop below is compiled for each of them.
// Integers are calculated unsigned: overflow wraps.
template <typename T, typename Fn>
TANDEM_INLINE T Wrapping(T a, T b, Fn fn) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(fn(static_cast<U>(a), static_cast<U>(b)));
  } else {
    return fn(a, b);
  }
}

struct Add {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    return Wrapping(
        a, b, [](auto x, auto y) __attribute__((always_inline)) { return x + y; });
  }
};
struct Sub {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    return Wrapping(
        a, b, [](auto x, auto y) __attribute__((always_inline)) { return x - y; });
  }
};
struct Mul {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    return Wrapping(
        a, b, [](auto x, auto y) __attribute__((always_inline)) { return x * y; });
  }
};
struct Div {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      // No division by 0, and not that of the smallest number by -1, which traps as well.
      if (b == 0) return 0;
      return b == -1 ? Sub::Do(T(0), a) : a / b;
    } else {
      return a / b;
    }
  }
};
struct Rem {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return b == 0 || b == -1 ? T(0) : a % b;
    } else if constexpr (sizeof(T) == 4) {
      return __builtin_fmodf(a, b);
    } else {
      return __builtin_fmod(a, b);
    }
  }
};
struct And {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    return a & b;
  }
};
struct Or {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    return a | b;
  }
};
struct Xor {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    return a ^ b;
  }
};
// Shift counts are taken modulo the width.
struct Shl {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) << (static_cast<U>(b) & (sizeof(T) * 8 - 1)));
  }
};
struct Shr {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    return a >> (static_cast<std::make_unsigned_t<T>>(b) & (sizeof(T) * 8 - 1));
  }
};
// NaN wins: if a is NaN it is taken, and if b is, the comparison fails.
struct Max {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    const T larger = b < a ? a : b;
    return a != a ? a : larger;
  }
};
struct Min {
  template <typename T>
  static TANDEM_INLINE T Do(T a, T b) {
    const T smaller = a < b ? a : b;
    return a != a ? a : smaller;
  }
};

struct Lt {
  template <typename T>
  static TANDEM_INLINE bool Do(T a, T b) {
    return a < b;
  }
};
struct Le {
  template <typename T>
  static TANDEM_INLINE bool Do(T a, T b) {
    return a <= b;
  }
};
struct Eq {
  template <typename T>
  static TANDEM_INLINE bool Do(T a, T b) {
    return a == b;
  }
};
struct Ne {
  template <typename T>
  static TANDEM_INLINE bool Do(T a, T b) {
    return a != b;
  }
};

struct Neg {
  template <typename T>
  static TANDEM_INLINE T Do(T a) {
    if constexpr (std::is_integral_v<T>) return Sub::Do(T(0), a);
    return -a;
  }
};
struct AbsOf {
  template <typename T>
  static TANDEM_INLINE T Do(T a) {
    if constexpr (std::is_integral_v<T>) {
      return a < 0 ? Sub::Do(T(0), a) : a;
    } else {
      return Abs(a);
    }
  }
};
#define TANDEM_BUILTIN(name, builtin)                                \
  struct name {                                                      \
    static TANDEM_INLINE float Do(float a) { return builtin##f(a); } \
    static TANDEM_INLINE double Do(double a) { return builtin(a); }  \
  };
TANDEM_BUILTIN(Sqrt, __builtin_sqrt)
TANDEM_BUILTIN(Floor, __builtin_floor)
TANDEM_BUILTIN(Ceil, __builtin_ceil)
TANDEM_BUILTIN(Trunc, __builtin_trunc)
TANDEM_BUILTIN(Rint, __builtin_rint)
#undef TANDEM_BUILTIN
struct Not {
  static TANDEM_INLINE Bool Do(Bool a) { return a ^ 1; }
};

template <typename Op, typename T>
void UnaryTile(const void* a, const void*, const void*, void* out, int64_t n) {
  const T* x = static_cast<const T*>(a);
  T* y = static_cast<T*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = Op::Do(x[i]);
}

template <typename Op, typename T, typename R, bool kUniformA, bool kUniformB>
void BinaryTile(const void* a, const void* b, const void*, void* out, int64_t n) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  R* z = static_cast<R*>(out);
  const T x0 = *x, y0 = *y;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    z[i] = static_cast<R>(Op::Do(kUniformA ? x0 : x[i], kUniformB ? y0 : y[i]));
  }
}

template <typename T>
void FmaTile(const void* a, const void* b, const void* c, void* out, int64_t n) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  const T* z = static_cast<const T*>(c);
  T* r = static_cast<T*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    r[i] = sizeof(T) == 4 ? __builtin_fmaf(x[i], y[i], z[i]) : __builtin_fma(x[i], y[i], z[i]);
  }
}

// Bits only, so one function per width.
template <typename T, bool kUniformA, bool kUniformB, bool kUniformC>
void SelectTile(const void* a, const void* b, const void* c, void* out, int64_t n) {
  const Bool* condition = static_cast<const Bool*>(a);
  const T* x = static_cast<const T*>(b);
  const T* y = static_cast<const T*>(c);
  T* z = static_cast<T*>(out);
  const Bool condition0 = *condition;
  const T x0 = *x, y0 = *y;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const T taken = kUniformB ? x0 : x[i], other = kUniformC ? y0 : y[i];
    z[i] = (kUniformA ? condition0 : condition[i]) != 0 ? taken : other;
  }
}

template <typename Op, typename T, typename R = T>
TileFn Binary(int uniform) {
  switch (uniform) {
    case 0:
      return BinaryTile<Op, T, R, false, false>;
    case 1:
      return BinaryTile<Op, T, R, true, false>;
    case 2:
      return BinaryTile<Op, T, R, false, true>;
    default:
      return BinaryTile<Op, T, R, true, true>;
  }
}

template <typename T>
TileFn Select(int uniform) {
  switch (uniform) {
    case 0:
      return SelectTile<T, false, false, false>;
    case 1:
      return SelectTile<T, true, false, false>;
    case 2:
      return SelectTile<T, false, true, false>;
    case 3:
      return SelectTile<T, true, true, false>;
    case 4:
      return SelectTile<T, false, false, true>;
    case 5:
      return SelectTile<T, true, false, true>;
    case 6:
      return SelectTile<T, false, true, true>;
    default:
      return SelectTile<T, true, true, true>;
  }
}

template <typename Op, typename T>
TileFn Unary(int uniform) {
  return uniform == 0 ? UnaryTile<Op, T> : nullptr;
}

template <typename T>
TileFn FindFor(TileOp op, int uniform) {
  constexpr bool kIsBool = std::is_same_v<T, Bool>;
  constexpr bool kIsFloat = std::is_floating_point_v<T>;
  if (op == TileOp::kEq) return Binary<Eq, T, Bool>(uniform);
  if (op == TileOp::kNe) return Binary<Ne, T, Bool>(uniform);
  if constexpr (!kIsFloat) {
    if (op == TileOp::kAnd) return Binary<And, T>(uniform);
    if (op == TileOp::kOr) return Binary<Or, T>(uniform);
    if (op == TileOp::kXor) return Binary<Xor, T>(uniform);
  }
  if constexpr (kIsBool) {
    return op == TileOp::kNot ? Unary<Not, T>(uniform) : nullptr;
  } else {
    switch (op) {
      case TileOp::kAdd:
        return Binary<Add, T>(uniform);
      case TileOp::kSub:
        return Binary<Sub, T>(uniform);
      case TileOp::kMul:
        return Binary<Mul, T>(uniform);
      case TileOp::kDiv:
        return Binary<Div, T>(uniform);
      case TileOp::kRem:
        return Binary<Rem, T>(uniform);
      case TileOp::kMax:
        return Binary<Max, T>(uniform);
      case TileOp::kMin:
        return Binary<Min, T>(uniform);
      case TileOp::kLt:
        return Binary<Lt, T, Bool>(uniform);
      case TileOp::kLe:
        return Binary<Le, T, Bool>(uniform);
      case TileOp::kNeg:
        return Unary<Neg, T>(uniform);
      case TileOp::kAbs:
        return Unary<AbsOf, T>(uniform);
      default:
        break;
    }
    if constexpr (kIsFloat) {
      switch (op) {
        case TileOp::kSqrt:
          return Unary<Sqrt, T>(uniform);
        case TileOp::kFloor:
          return Unary<Floor, T>(uniform);
        case TileOp::kCeil:
          return Unary<Ceil, T>(uniform);
        case TileOp::kTrunc:
          return Unary<Trunc, T>(uniform);
        case TileOp::kRint:
          return Unary<Rint, T>(uniform);
        case TileOp::kFma:
          return uniform == 0 ? FmaTile<T> : nullptr;
        default:
          break;
      }
    } else {
      if (op == TileOp::kShl) return Binary<Shl, T>(uniform);
      if (op == TileOp::kShr) return Binary<Shr, T>(uniform);
    }
    return nullptr;
  }
}

}  // namespace

TileFn FindArithmetic(TileOp op, ScalarType type, int uniform) {
  if (op == TileOp::kSelect) {
    switch (type) {
      case ScalarType::kF32:
      case ScalarType::kI32:
        return Select<uint32_t>(uniform);
      case ScalarType::kF64:
      case ScalarType::kI64:
        return Select<uint64_t>(uniform);
      case ScalarType::kBool:
        return Select<Bool>(uniform);
    }
  }
  switch (type) {
    case ScalarType::kF32:
      return FindFor<float>(op, uniform);
    case ScalarType::kF64:
      return FindFor<double>(op, uniform);
    case ScalarType::kI32:
      return FindFor<int32_t>(op, uniform);
    case ScalarType::kI64:
      return FindFor<int64_t>(op, uniform);
    case ScalarType::kBool:
      return FindFor<Bool>(op, uniform);
  }
  return nullptr;
}

}  // namespace tandem::cpu_backend::TANDEM_ISA
