// Convolution without im2col: correlations of padded planes.
//
// An image is copied once into planes that hold its padding, one plane for each phase of the stride:
// plane (py, px) has the elements (q * stride_h + py, i * stride_w + px). In planes every tap of the
// kernel, for every output, is a fixed distance away from the output's own position, whatever the
// stride, the dilation and the padding:
//
//   out[m, j, i] = sum_k weight[m, k] * planes[offsets[k] + j * width + i]
//
// which is a matrix product whose right rows are read straight from the planes (tile_offsets and
// tile_rows_offsets in gemm_isa.h). The gradient of the input is the same with the planes of the output's gradient, once
// for each phase of the input; that of the weight takes the dot products of such rows.
//
// Thread rules: pure functions.
#ifndef TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_PLANES_H_
#define TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_PLANES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "tandem/backends/cpu/kernels/gemm.h"
#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/op/window.h"

namespace tandem::cpu_backend {

// Elements that may be read behind the last plane.
inline constexpr int64_t kPlaneSlack = 64;

// One axis of planes: plane `phase` has at position q the element q * stride + phase + origin.
struct PlaneAxis {
  int64_t phases = 1;
  int64_t stride = 1;
  int64_t origin = 0;  // of position 0; negative in the padding
  int64_t size = 0;    // positions
};

// The planes of a number of channels, one channel after the other, its phases row-major.
struct PlaneLayout {
  PlaneAxis height;
  PlaneAxis width;

  int64_t plane() const { return height.size * width.size; }
  int64_t channel() const { return height.phases * width.phases * plane(); }

  // Of the input, to compute outputs; of the output's gradient, to compute the input's gradient;
  // and of the output's gradient with rows as long as those of `input`, so that the two can be
  // multiplied position by position.
  static PlaneLayout OfInput(const Conv2dGeometry& g);
  static PlaneLayout OfOutputGradient(const Conv2dGeometry& g);
  static PlaneLayout AlignedWith(const PlaneLayout& input, const Conv2dGeometry& g);
};

// Elements of `channels` planes and the slack, in multiples of 16; RESOURCE_EXHAUSTED if they leave
// int64_t.
absl::StatusOr<int64_t> PlaneElements(const PlaneLayout& layout, int64_t channels);

// Writes the planes of `channels` images of rows x cols elements; zero where there is no element.
// Also zeroes the slack.
template <typename T>
void FillPlanes(const GemmKernels<T>& kernels, const PlaneLayout& layout, const T* images,
                int64_t channels, int64_t rows, int64_t cols, T* planes);

// out[m * channel + j * row + i * col] = sum_k weight[m, k] planes[offsets[k] + j * width + i].
template <typename T>
struct Correlation {
  const GemmKernels<T>* kernels;
  int64_t m;  // rows of the weight
  int64_t k;  // taps
  // Packed: block b of RowBlocks(m, mr) begins at blocks.Begin(b) * k; or row-major, where it lies.
  const T* weight;
  bool packed;
  const int64_t* offsets;
  int64_t width;              // of a row of the planes
  int64_t rows, cols;         // outputs
  int64_t channel, row, col;  // strides of `out`
};
template <typename T>
void Correlate(const Correlation<T>& c, const T* planes, T* out, CpuThreadPool& pool);

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_KERNELS_CONVOLUTION_PLANES_H_
