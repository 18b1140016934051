// Vectors as wide as the instruction set being compiled for, as one type per element type.
//
// Kernels in an isa_library write their inner loops once with these; compiled for baseline, AVX2
// and AVX-512 they become 16-, 32- and 64-byte code. They are the compiler's own vector types, so
// +, * and comparisons are operators, and a * b + c is fused where the level has the instruction.
//
//   Vec<float> x = Load(p);
//   Store(q, x * x + Splat<float>(1.0f));
//
// Include it only from sources of an isa_library: everything is in namespace TANDEM_ISA.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_VECTOR_H_
#define TANDEM_BACKENDS_CPU_KERNELS_VECTOR_H_

#include <cstdint>
#include <type_traits>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define TANDEM_INLINE inline __attribute__((always_inline))

namespace tandem::cpu_backend::TANDEM_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kVectorRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kVectorRegisters = 16;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kVectorRegisters = 16;
#endif

template <typename T, int kBytes = kVectorBytes>
struct VectorType {
  typedef T type __attribute__((vector_size(kBytes)));
  typedef T unaligned __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
};
template <typename T>
using Vec = typename VectorType<T>::type;
template <typename T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <typename T>
TANDEM_INLINE Vec<T> Load(const T* p) {
  return *reinterpret_cast<const typename VectorType<T>::unaligned*>(p);
}
template <typename T>
TANDEM_INLINE void Store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VectorType<T>::unaligned*>(p) = v;
}
template <typename T>
TANDEM_INLINE Vec<T> Splat(T value) {
  return value - Vec<T>{};
}
// Integers as wide as T, for masks.
template <typename T>
using IntOf = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
template <typename I, int... kLane>
TANDEM_INLINE Vec<I> CountLanes(std::integer_sequence<int, kLane...>) {
  return Vec<I>{kLane...};
}
// All bits set in the first `count` lanes.
template <typename T>
TANDEM_INLINE Vec<IntOf<T>> FirstLanes(int64_t count) {
  using I = IntOf<T>;
  return CountLanes<I>(std::make_integer_sequence<int, kLanes<T>>()) < static_cast<I>(count);
}

#if defined(__AVX512F__)
TANDEM_INLINE uint16_t LaneMask(int64_t count) {
  return count >= 16 ? 0xFFFF : static_cast<uint16_t>((1u << count) - 1);
}
#endif

// The first `count` lanes (at most all); the others are `rest`. Reads no further. T has 4 or 8 bytes.
template <typename T>
TANDEM_INLINE Vec<T> LoadPartial(const T* p, int64_t count, T rest = T()) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
#if defined(__AVX512F__)
  const auto otherwise = (__m512i)Splat(rest);
  if constexpr (sizeof(T) == 4) {
    return (Vec<T>)_mm512_mask_loadu_epi32(otherwise, LaneMask(count), p);
  } else {
    return (Vec<T>)_mm512_mask_loadu_epi64(otherwise, LaneMask(count), p);
  }
#elif defined(__AVX2__)
  const auto mask = FirstLanes<T>(count);
  Vec<T> v;
  if constexpr (sizeof(T) == 4) {
    v = (Vec<T>)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), (__m256i)mask);
  } else {
    v = (Vec<T>)_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), (__m256i)mask);
  }
  return mask ? v : Splat(rest);
#else
  Vec<T> v = Splat(rest);
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < count) v[i] = p[i];
  }
  return v;
#endif
}
template <typename T>
TANDEM_INLINE void StorePartial(T* p, Vec<T> v, int64_t count) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(p, LaneMask(count), (__m512i)v);
  } else {
    _mm512_mask_storeu_epi64(p, LaneMask(count), (__m512i)v);
  }
#elif defined(__AVX2__)
  const auto mask = (__m256i)FirstLanes<T>(count);
  if constexpr (sizeof(T) == 4) {
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), mask, (__m256i)v);
  } else {
    _mm256_maskstore_epi64(reinterpret_cast<long long*>(p), mask, (__m256i)v);
  }
#else
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < count) p[i] = v[i];
  }
#endif
}

// Halves of a vector, added: the order of a sum is fixed by the number of lanes.
template <typename T, int kBytes>
TANDEM_INLINE T SumLanes(typename VectorType<T, kBytes>::type v) {
  constexpr int kCount = kBytes / static_cast<int>(sizeof(T));
  if constexpr (kCount == 1) {
    return v[0];
  } else if constexpr (kBytes > 16) {
    using Half = typename VectorType<T, kBytes / 2>::type;
    union {
      typename VectorType<T, kBytes>::type whole;
      Half half[2];
    } u = {v};
    return SumLanes<T, kBytes / 2>(u.half[0] + u.half[1]);
  } else if constexpr (kCount == 2) {
    return v[0] + v[1];
  } else {
    return (v[0] + v[2]) + (v[1] + v[3]);
  }
}
template <typename T>
TANDEM_INLINE T Sum(Vec<T> v) {
  return SumLanes<T, kVectorBytes>(v);
}

// Groups of kGroup lanes shrink to half: each lane of a group's low half, plus its partner of the high
// half. The groups of `a` come first, then those of `b`.
template <int kGroup, typename V, int... I>
TANDEM_INLINE V AddHalves(V a, V b, std::integer_sequence<int, I...>) {
  constexpr int kHalf = kGroup / 2;
  return __builtin_shufflevector(a, b, (I / kHalf * kGroup + I % kHalf)...) +
         __builtin_shufflevector(a, b, (I / kHalf * kGroup + kHalf + I % kHalf)...);
}
// Lane i is Sum(v[i]), to the bit, at a fraction of the price of kCount calls. kCount is a power of
// two; lanes beyond it repeat sums.
template <typename T, int kCount, int kGroup = kLanes<T>>
TANDEM_INLINE Vec<T> SumEach(const Vec<T> (&v)[kCount]) {
  static_assert(kCount <= kLanes<T>);
  if constexpr (kGroup == 1) {
    return v[0];
  } else {
    constexpr std::make_integer_sequence<int, kLanes<T>> kSequence;
    Vec<T> halves[kCount > 1 ? kCount / 2 : 1];
#pragma GCC unroll 16
    for (int i = 0; i < (kCount > 1 ? kCount / 2 : 1); ++i) {
      halves[i] = AddHalves<kGroup>(v[2 * i], v[kCount > 1 ? 2 * i + 1 : 0], kSequence);
    }
    return SumEach<T, (kCount > 1 ? kCount / 2 : 1), kGroup / 2>(halves);
  }
}

template <typename V, int... I>
TANDEM_INLINE V ZipLow(V a, V b, std::integer_sequence<int, I...>) {
  constexpr int kCount = static_cast<int>(sizeof...(I));
  return __builtin_shufflevector(a, b, (I % 2 != 0 ? kCount + I / 2 : I / 2)...);
}
template <typename V, int... I>
TANDEM_INLINE V ZipHigh(V a, V b, std::integer_sequence<int, I...>) {
  constexpr int kCount = static_cast<int>(sizeof...(I));
  return __builtin_shufflevector(
      a, b, (I % 2 != 0 ? kCount + kCount / 2 + I / 2 : kCount / 2 + I / 2)...);
}

// Transposes the square matrix of kLanes vectors: log2(kLanes) perfect shuffles of its rows.
template <typename T>
TANDEM_INLINE void Transpose(Vec<T> (&rows)[kLanes<T>]) {
  constexpr int kCount = kLanes<T>;
  constexpr std::make_integer_sequence<int, kCount> kSequence;
  for (int step = 1; step < kCount; step *= 2) {
    Vec<T> next[kCount];
#pragma GCC unroll 16
    for (int i = 0; i < kCount / 2; ++i) {
      next[2 * i] = ZipLow(rows[i], rows[i + kCount / 2], kSequence);
      next[2 * i + 1] = ZipHigh(rows[i], rows[i + kCount / 2], kSequence);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) rows[i] = next[i];
  }
}

}  // namespace tandem::cpu_backend::TANDEM_ISA

#endif  // TANDEM_BACKENDS_CPU_KERNELS_VECTOR_H_
