#include "tandem/backends/cpu/kernels/pooling_isa.h"

#include <utility>

#include "tandem/backends/cpu/kernels/vector.h"

namespace tandem::cpu_backend::TANDEM_ISA {
namespace {

struct Range {
  int64_t begin, end;
};

// The elements of window `o`, and its size with the padding.
inline Range Elements(const PoolAxis& a, int64_t o) {
  const int64_t begin = o * a.stride - a.pad_before;
  const int64_t end = begin + a.kernel;
  return {begin < 0 ? 0 : begin, end < a.input ? end : a.input};
}
inline int64_t PaddedSize(const PoolAxis& a, int64_t o) {
  const int64_t room = a.input + a.pad_before + a.pad_after - o * a.stride;
  return room < a.kernel ? room : a.kernel;
}

// Windows of 2 x 2 that tile the plane; a last odd row or column may be left over.
bool IsTwoByTwo(const PoolPlane& p) {
  const auto two = [](const PoolAxis& a) {
    return a.kernel == 2 && a.stride == 2 && a.pad_before == 0 && a.pad_after == 0 &&
           2 * a.output <= a.input;
  };
  return two(p.height) && two(p.width);
}

template <typename T>
bool IsBetter(T candidate, T best) {
  return candidate > best || (candidate != candidate && best == best);
}

template <typename T>
inline T Larger(T a, T b) {
  return a >= b || a != a ? a : b;
}

// The elements 2 i and 2 i + 1 of a row, for a vector of i.
template <typename T>
struct Pairs {
  Vec<T> even, odd;
};

template <typename V, int... I>
TANDEM_INLINE V EveryOther(V a, V b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, 2 * I...);
}
template <typename V, int... I>
TANDEM_INLINE V EveryOtherFromOne(V a, V b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I + 1)...);
}

// `count` pairs, at most a vector of them.
template <typename T>
TANDEM_INLINE Pairs<T> LoadPairs(const T* p, int64_t count) {
  constexpr int kWidth = kLanes<T>;
  constexpr std::make_integer_sequence<int, kWidth> kSequence;
  Vec<T> low, high = {};
  if (count == kWidth) {
    low = Load(p);
    high = Load(p + kWidth);
  } else {
    low = LoadPartial(p, 2 * count);
    if (2 * count > kWidth) high = LoadPartial(p + kWidth, 2 * count - kWidth);
  }
  return {EveryOther(low, high, kSequence), EveryOtherFromOne(low, high, kSequence)};
}

template <typename T>
TANDEM_INLINE void StorePairs(T* p, const Pairs<T>& v, int64_t count) {
  constexpr int kWidth = kLanes<T>;
  constexpr std::make_integer_sequence<int, kWidth> kSequence;
  const Vec<T> low = ZipLow(v.even, v.odd, kSequence);
  const Vec<T> high = ZipHigh(v.even, v.odd, kSequence);
  if (count == kWidth) {
    Store(p, low);
    Store(p + kWidth, high);
  } else {
    StorePartial(p, low, 2 * count);
    if (2 * count > kWidth) StorePartial(p + kWidth, high, 2 * count - kWidth);
  }
}

template <typename T>
TANDEM_INLINE int64_t Count(int64_t left) {
  return left < kLanes<T> ? left : kLanes<T>;
}

// Lanes where a is chosen before b: the first NaN, else the larger, else the first.
template <typename V>
TANDEM_INLINE auto IsFirst(V a, V b) {
  return (a >= b) | (a != a);
}

// Elements p[0], p[step], p[2 step], ... for `count` lanes; step is 1 or 2.
template <typename T>
TANDEM_INLINE Vec<T> LoadEvery(const T* p, int64_t step, int64_t count) {
  constexpr int kWidth = kLanes<T>;
  if (step == 1) return count == kWidth ? Load(p) : LoadPartial(p, count);
  // Nothing is read behind the last one.
  const int64_t reach = 2 * count - 1;
  const Vec<T> low = reach >= kWidth ? Load(p) : LoadPartial(p, reach);
  const Vec<T> high = reach > kWidth ? LoadPartial(p + kWidth, reach - kWidth) : Vec<T>{};
  return EveryOther(low, high, std::make_integer_sequence<int, kWidth>());
}

// The windows [begin, end) of one row of them, none of which is cut off at the left or the right: the
// first NaN, else the first of the largest elements, in row-major order.
template <typename T>
void MaxOfWhole(const PoolPlane& p, Range rows, int64_t begin, int64_t end, const T* __restrict x,
                T* __restrict y) {
  const PoolAxis& a = p.width;
  for (int64_t ow = begin; ow < end; ow += kLanes<T>) {
    const int64_t count = Count<T>(end - ow);
    const T* first = x + rows.begin * a.input + ow * a.stride - a.pad_before;
    Vec<T> best = LoadEvery(first, a.stride, count);
    for (int64_t h = rows.begin; h < rows.end; ++h, first += a.input) {
      for (int64_t w = 0; w < a.kernel; ++w) {
        const Vec<T> candidate = LoadEvery(first + w, a.stride, count);
        best = IsFirst(best, candidate) ? best : candidate;
      }
    }
    StorePartial(y + ow, best, count);
  }
}

template <typename T>
void Max(const PoolPlane& p, const T* __restrict x, T* __restrict y) {
  const int64_t width = p.width.input;
  if (IsTwoByTwo(p)) {
    for (int64_t oh = 0; oh < p.height.output; ++oh, y += p.width.output) {
      const T* first = x + 2 * oh * width;
      const T* second = first + width;
      for (int64_t i = 0; i < p.width.output; i += kLanes<T>) {
        const int64_t count = Count<T>(p.width.output - i);
        const Pairs<T> top = LoadPairs(first + 2 * i, count);
        const Pairs<T> bottom = LoadPairs(second + 2 * i, count);
        const Vec<T> a = IsFirst(top.even, top.odd) ? top.even : top.odd;
        const Vec<T> b = IsFirst(bottom.even, bottom.odd) ? bottom.even : bottom.odd;
        StorePartial(y + i, IsFirst(a, b) ? a : b, count);
      }
    }
    return;
  }
  // Windows that lie within a row's ends are taken a vector at a time.
  const PoolAxis& a = p.width;
  int64_t begin = 0, end = 0;
  if (a.stride <= 2 && a.kernel <= a.input) {
    begin = (a.pad_before + a.stride - 1) / a.stride;
    end = (a.input - a.kernel + a.pad_before) / a.stride + 1;
    if (end > a.output) end = a.output;
    if (begin > end) begin = end;
  }
  for (int64_t oh = 0; oh < p.height.output; ++oh, y += a.output) {
    const Range rows = Elements(p.height, oh);
    const auto scalar = [&](int64_t from, int64_t to) {
      for (int64_t ow = from; ow < to; ++ow) {
        const Range cols = Elements(a, ow);
        T best = x[rows.begin * width + cols.begin];
        for (int64_t h = rows.begin; h < rows.end; ++h) {
          for (int64_t w = cols.begin; w < cols.end; ++w) best = Larger(best, x[h * width + w]);
        }
        y[ow] = best;
      }
    };
    scalar(0, begin);
    MaxOfWhole(p, rows, begin, end, x, y);
    scalar(end, a.output);
  }
}

template <typename T>
void MaxBackward(const PoolPlane& p, const T* __restrict grad, const T* __restrict x,
                 T* __restrict dx) {
  const int64_t width = p.width.input;
  if (IsTwoByTwo(p)) {
    for (int64_t oh = 0; oh < p.height.output; ++oh, grad += p.width.output) {
      const T* first = x + 2 * oh * width;
      const T* second = first + width;
      T* dfirst = dx + 2 * oh * width;
      T* dsecond = dfirst + width;
      for (int64_t i = 0; i < p.width.output; i += kLanes<T>) {
        const int64_t count = Count<T>(p.width.output - i);
        const Pairs<T> top = LoadPairs(first + 2 * i, count);
        const Pairs<T> bottom = LoadPairs(second + 2 * i, count);
        const auto is_a = IsFirst(top.even, top.odd);
        const auto is_c = IsFirst(bottom.even, bottom.odd);
        const auto is_top = IsFirst(is_a ? top.even : top.odd, is_c ? bottom.even : bottom.odd);
        const Vec<T> zero = {};
        const Vec<T> g = LoadPartial(grad + i, count);
        const Vec<T> g_top = is_top ? g : zero;
        const Vec<T> g_bottom = is_top ? zero : g;
        StorePairs<T>(dfirst + 2 * i, {is_a ? g_top : zero, is_a ? zero : g_top}, count);
        StorePairs<T>(dsecond + 2 * i, {is_c ? g_bottom : zero, is_c ? zero : g_bottom}, count);
      }
      for (int64_t i = 2 * p.width.output; i < width; ++i) dfirst[i] = dsecond[i] = T();
    }
    for (int64_t i = 2 * p.height.output * width; i < p.height.input * width; ++i) dx[i] = T();
    return;
  }
  for (int64_t i = 0; i < p.height.input * width; ++i) dx[i] = T();
  for (int64_t oh = 0; oh < p.height.output; ++oh) {
    const Range rows = Elements(p.height, oh);
    for (int64_t ow = 0; ow < p.width.output; ++ow) {
      const Range cols = Elements(p.width, ow);
      int64_t at = rows.begin * width + cols.begin;
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = cols.begin; w < cols.end; ++w) {
          if (IsBetter(x[h * width + w], x[at])) at = h * width + w;
        }
      }
      dx[at] += *grad++;
    }
  }
}

template <typename T>
T Divisor(const PoolPlane& p, int64_t oh, int64_t ow, Range rows, Range cols) {
  return static_cast<T>(p.count_include_pad ? PaddedSize(p.height, oh) * PaddedSize(p.width, ow)
                                            : (rows.end - rows.begin) * (cols.end - cols.begin));
}

template <typename T>
void Average(const PoolPlane& p, const T* __restrict x, T* __restrict y) {
  const int64_t width = p.width.input;
  if (IsTwoByTwo(p)) {
    for (int64_t oh = 0; oh < p.height.output; ++oh, y += p.width.output) {
      const T* first = x + 2 * oh * width;
      const T* second = first + width;
      for (int64_t i = 0; i < p.width.output; ++i) {
        y[i] = ((first[2 * i] + first[2 * i + 1]) + (second[2 * i] + second[2 * i + 1])) *
               static_cast<T>(0.25);
      }
    }
    return;
  }
  for (int64_t oh = 0; oh < p.height.output; ++oh) {
    const Range rows = Elements(p.height, oh);
    for (int64_t ow = 0; ow < p.width.output; ++ow) {
      const Range cols = Elements(p.width, ow);
      double sum = 0;
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = cols.begin; w < cols.end; ++w) sum += x[h * width + w];
      }
      *y++ = static_cast<T>(sum / Divisor<double>(p, oh, ow, rows, cols));
    }
  }
}

template <typename T>
void AverageBackward(const PoolPlane& p, const T* __restrict grad, T* __restrict dx) {
  const int64_t width = p.width.input;
  for (int64_t i = 0; i < p.height.input * width; ++i) dx[i] = T();
  for (int64_t oh = 0; oh < p.height.output; ++oh) {
    const Range rows = Elements(p.height, oh);
    for (int64_t ow = 0; ow < p.width.output; ++ow) {
      const Range cols = Elements(p.width, ow);
      const T share = *grad++ / Divisor<T>(p, oh, ow, rows, cols);
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = cols.begin; w < cols.end; ++w) dx[h * width + w] += share;
      }
    }
  }
}

template <typename T>
void Fill(PoolKernels<T>* kernels) {
  kernels->max = &Max<T>;
  kernels->max_backward = &MaxBackward<T>;
  kernels->average = &Average<T>;
  kernels->average_backward = &AverageBackward<T>;
}

}  // namespace

void FillPoolKernels(PoolKernels<float>* kernels) { Fill(kernels); }
void FillPoolKernels(PoolKernels<double>* kernels) { Fill(kernels); }

}  // namespace tandem::cpu_backend::TANDEM_ISA
