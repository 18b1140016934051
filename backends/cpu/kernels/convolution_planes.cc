#include "tandem/backends/cpu/kernels/convolution_planes.h"

#include <algorithm>

#include "tandem/core/base/checked_math.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {
namespace {

constexpr int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

PlaneAxis InputAxis(const WindowAxis& w) {
  const int64_t reach = (w.kernel - 1) * w.dilation;
  return {.phases = std::min(w.stride, reach + 1),
          .stride = w.stride,
          .origin = -w.pad_before,
          .size = w.output + reach / w.stride};
}

// Position q is output q + origin: the first and the last that any input position meets.
PlaneAxis OutputGradientAxis(const WindowAxis& w) {
  const int64_t first = FloorDivide(w.pad_before - (w.kernel - 1) * w.dilation, w.stride);
  const int64_t last = DivideRoundUp(w.pad_before, w.stride);
  return {.phases = 1,
          .stride = 1,
          .origin = first,
          .size = DivideRoundUp(w.input, w.stride) + last - first};
}

// The positions of `phase` whose element is one of `elements`.
struct Inside {
  Inside(const PlaneAxis& axis, int64_t phase, int64_t elements) {
    const int64_t start = axis.origin + phase;  // the element at position 0
    begin = std::clamp<int64_t>(-FloorDivide(start, axis.stride), 0, axis.size);
    end = std::clamp<int64_t>(-FloorDivide(start - elements, axis.stride), begin, axis.size);
    element = start + begin * axis.stride;
  }
  int64_t begin, end;  // positions
  int64_t element;     // at `begin`
};

}  // namespace

PlaneLayout PlaneLayout::OfInput(const Conv2dGeometry& g) {
  return {InputAxis(g.height), InputAxis(g.width)};
}

PlaneLayout PlaneLayout::OfOutputGradient(const Conv2dGeometry& g) {
  return {OutputGradientAxis(g.height), OutputGradientAxis(g.width)};
}

PlaneLayout PlaneLayout::AlignedWith(const PlaneLayout& input, const Conv2dGeometry& g) {
  return {{.size = g.height.output}, {.size = input.width.size}};
}

absl::StatusOr<int64_t> PlaneElements(const PlaneLayout& layout, int64_t channels) {
  TANDEM_ASSIGN_OR_RETURN(const int64_t plane, CheckedMul(layout.height.size, layout.width.size));
  TANDEM_ASSIGN_OR_RETURN(const int64_t phases,
                          CheckedMul(layout.height.phases, layout.width.phases));
  TANDEM_ASSIGN_OR_RETURN(const int64_t channel, CheckedMul(plane, phases));
  TANDEM_ASSIGN_OR_RETURN(const int64_t all, CheckedMul(channel, channels));
  TANDEM_ASSIGN_OR_RETURN(const int64_t elements, CheckedAdd(all, kPlaneSlack));
  return CheckedAlignUp(elements, 16);
}

template <typename T>
void FillPlanes(const GemmKernels<T>& kernels, const PlaneLayout& layout, const T* images,
                int64_t channels, int64_t rows, int64_t cols, T* planes) {
  const PlaneAxis& height = layout.height;
  const PlaneAxis& width = layout.width;
  const bool identical = height.stride == 1 && width.stride == 1 && height.origin == 0 &&
                         width.origin == 0 && height.size == rows && width.size == cols;
  if (identical) {
    std::copy_n(images, channels * rows * cols, planes);
    std::fill_n(planes + channels * rows * cols, kPlaneSlack, T());
    return;
  }
  // To clear everything at once is faster than to find out where the padding is.
  std::fill_n(planes, channels * layout.channel() + kPlaneSlack, T());
  for (int64_t py = 0; py < height.phases; ++py) {
    const Inside y(height, py, rows);
    for (int64_t px = 0; px < width.phases; ++px) {
      const Inside x(width, px, cols);
      if (y.begin == y.end || x.begin == x.end) continue;
      T* to = planes + (py * width.phases + px) * layout.plane() + y.begin * width.size + x.begin;
      const T* from = images + y.element * cols + x.element;
      for (int64_t c = 0; c < channels; ++c) {
        if (width.stride == 1) {
          kernels.copy_block(y.end - y.begin, x.end - x.begin, from, height.stride * cols, to,
                             width.size);
        } else {
          for (int64_t q = 0; q < y.end - y.begin; ++q) {
            for (int64_t i = 0; i < x.end - x.begin; ++i) {
              to[q * width.size + i] = from[q * height.stride * cols + i * width.stride];
            }
          }
        }
        from += rows * cols;
        to += layout.channel();
      }
    }
  }
}

template <typename T>
void Correlate(const Correlation<T>& c, const T* planes, T* out, CpuThreadPool& pool) {
  if (c.m == 0 || c.rows == 0 || c.cols == 0) return;
  const GemmKernels<T>& kernels = *c.kernels;
  const RowBlocks blocks(c.m, kernels.mr);
  const int64_t nr = kernels.nr;
  // Tiles either follow the rows of the output, and their last columns are idle; or they run over
  // the ends of rows, and what they compute between two rows is dropped.
  const int64_t row_panels = (c.cols + nr - 1) / nr;
  const bool by_rows = c.col == 1 && 10 * row_panels * nr <= 14 * c.cols;
  const int64_t positions = (c.rows - 1) * c.width + c.cols;
  const bool seamless = c.col == 1 && c.width == c.cols && c.row == c.cols;
  const int64_t panels = by_rows && !seamless ? c.rows * row_panels : (positions + nr - 1) / nr;
  const auto tile = [&](int64_t height, int64_t width, const T* weight, const T* right, T* to,
                        int64_t to_row) {
    if (c.packed) {
      kernels.tile_offsets(height, width, c.k, weight, right, c.offsets, to, to_row, false);
    } else {
      kernels.tile_rows_offsets(height, width, c.k, weight, c.k, right, c.offsets, to, to_row);
    }
  };
  const auto panel = [&](int64_t p, int64_t block) {
    const int64_t m = blocks.Begin(block);
    const int64_t height = blocks.Size(block);
    const T* weight = c.weight + m * c.k;
    T* to = out + m * c.channel;
    if (seamless) {
      tile(height, std::min(nr, positions - p * nr), weight, planes + p * nr, to + p * nr,
           c.channel);
      return;
    }
    if (by_rows) {
      const int64_t j = p / row_panels;
      const int64_t i = p % row_panels * nr;
      tile(height, std::min(nr, c.cols - i), weight, planes + j * c.width + i, to + j * c.row + i,
           c.channel);
      return;
    }
    alignas(64) T buffer[14 * 32];
    const int64_t begin = p * nr;
    const int64_t end = std::min(begin + nr, positions);
    tile(height, end - begin, weight, planes + begin, buffer, nr);
    for (int64_t at = begin; at < end;) {
      const int64_t j = at / c.width;
      const int64_t i = at % c.width;
      const int64_t count = std::min(end - at, c.cols - i);
      const T* from = buffer + (at - begin);
      T* row = to + j * c.row + i * c.col;
      if (count > 0 && c.col == 1) {
        kernels.copy_block(height, count, from, nr, row, c.channel);
      } else {
        for (int64_t x = 0; x < height; ++x) {
          for (int64_t y = 0; y < count; ++y) row[x * c.channel + y * c.col] = from[x * nr + y];
        }
      }
      at += c.width - i;
    }
  };
  const int64_t work = blocks.Size(0) * nr * std::min<int64_t>(c.k, 1 << 20) / 8;
  pool.ParallelFor(panels * blocks.count, GrainFor(work), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) panel(task / blocks.count, task % blocks.count);
  });
}

#define TANDEM_INSTANTIATE_PLANES(T)                                                              \
  template void FillPlanes(const GemmKernels<T>&, const PlaneLayout&, const T*, int64_t, int64_t, \
                           int64_t, T*);                                                          \
  template void Correlate(const Correlation<T>&, const T*, T*, CpuThreadPool&)
TANDEM_INSTANTIATE_PLANES(float);
TANDEM_INSTANTIATE_PLANES(double);
#undef TANDEM_INSTANTIATE_PLANES

}  // namespace tandem::cpu_backend
