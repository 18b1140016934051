#include "tandem/backends/cpu/kernels/normalization.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/kernels/converted_kernel.h"
#include "tandem/backends/cpu/kernels/isa_table.h"
#include "tandem/backends/cpu/kernels/normalization_isa.h"
#include "tandem/core/base/status_macros.h"
#include "tandem/core/op/reduction_geometry.h"

namespace tandem::cpu_backend {
namespace {

template <typename T>
struct NormParams {
  const NormalizationKernels<T>* kernels;
  int64_t outer, size, inner;
  double epsilon, momentum;
  bool training;
};

template <typename T>
absl::StatusOr<NormParams<T>> ParamsOf(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(
      const AxisGeometry axis,
      AxisGeometry::Create(request.inputs[0].spec.shape, request.attrs.Int("axis")));
  NormParams<T> p;
  p.kernels =
      &TANDEM_ISA_TABLE(NormalizationKernels<T>, FillNormalizationKernels, IsaOf(request.device));
  p.outer = axis.outer;
  p.size = axis.size;
  p.inner = axis.inner;
  p.epsilon = request.attrs.Double("epsilon");
  p.momentum = 0;
  p.training = false;
  return p;
}

// The mean and variance of one contiguous piece of each of `runs` runs.
template <typename T>
void RunMoments(const NormParams<T>& p, const T* x, int64_t runs, int64_t stride, int64_t n,
                double* mean, double* variance) {
  const double scale = 1.0 / (static_cast<double>(runs) * static_cast<double>(n));
  double sum = 0, squares = 0;
  for (int64_t r = 0; r < runs; ++r) sum += p.kernels->sum(x + r * stride, n);
  *mean = sum * scale;
  for (int64_t r = 0; r < runs; ++r) squares += p.kernels->squares(x + r * stride, n, *mean);
  *variance = squares * scale;
}

// --- batch_norm: one mean for each index of the axis ----------------------------------------------

template <typename T>
struct BatchNormBuffers {
  explicit BatchNormBuffers(std::byte* const* b)
      : x(At<const T>(b[0])),
        gamma(At<const T>(b[1])),
        beta(At<const T>(b[2])),
        mean(At<const T>(b[3])),
        variance(At<const T>(b[4])),
        y(At<T>(b[5])),
        new_mean(At<T>(b[6])),
        new_variance(At<T>(b[7])),
        batch_mean(At<T>(b[8])),
        batch_rstd(At<T>(b[9])) {}
  const T *x, *gamma, *beta, *mean, *variance;
  T *y, *new_mean, *new_variance, *batch_mean, *batch_rstd;
};

// Writes the four outputs of a channel; mean and variance are the batch's, in training.
template <typename T>
void FinishChannel(const NormParams<T>& p, const BatchNormBuffers<T>& b, int64_t c, double mean,
                   double variance) {
  if (p.training) {
    const double n = static_cast<double>(p.outer) * static_cast<double>(p.inner);
    const double unbiased = variance * n / std::max(n - 1, 1.0);
    b.new_mean[c] = static_cast<T>(p.momentum * b.mean[c] + (1 - p.momentum) * mean);
    b.new_variance[c] = static_cast<T>(p.momentum * b.variance[c] + (1 - p.momentum) * unbiased);
  } else {
    mean = b.new_mean[c] = b.mean[c];
    variance = b.new_variance[c] = b.variance[c];
  }
  b.batch_mean[c] = static_cast<T>(mean);
  b.batch_rstd[c] = static_cast<T>(1 / std::sqrt(variance + p.epsilon));
}

template <typename T>
void BatchNorm(const NormParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const BatchNormBuffers<T> b(buffers);
  const int64_t channels = p.size;
  if (p.inner == 1) {
    const int64_t blocks = (channels + kMomentColumns - 1) / kMomentColumns;
    pool.ParallelFor(
        blocks, GrainFor(3 * p.outer * kMomentColumns), [&](int64_t begin, int64_t end) {
          for (int64_t block = begin; block < end; ++block) {
            const int64_t c = block * kMomentColumns;
            const int64_t width = std::min(kMomentColumns, channels - c);
            double mean[kMomentColumns] = {}, variance[kMomentColumns] = {};
            if (p.training) {
              p.kernels->column_moments(b.x + c, p.outer, channels, width, mean, variance);
            }
            for (int64_t j = 0; j < width; ++j) FinishChannel(p, b, c + j, mean[j], variance[j]);
            for (int64_t i = 0; i < p.outer; ++i) {
              const int64_t at = i * channels + c;
              p.kernels->apply(width, b.x + at, b.batch_mean + c, b.batch_rstd + c, true,
                               b.gamma + c, b.beta + c, true, b.y + at);
            }
          }
        });
    return;
  }
  const int64_t stride = channels * p.inner;
  pool.ParallelFor(channels, GrainFor(3 * p.outer * p.inner), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const int64_t first = c * p.inner;
      double mean = 0, variance = 0;
      if (p.training) RunMoments(p, b.x + first, p.outer, stride, p.inner, &mean, &variance);
      FinishChannel(p, b, c, mean, variance);
      for (int64_t i = 0; i < p.outer; ++i) {
        const int64_t at = i * stride + first;
        p.kernels->apply(p.inner, b.x + at, b.batch_mean + c, b.batch_rstd + c, false, b.gamma + c,
                         b.beta + c, false, b.y + at);
      }
    }
  });
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareBatchNorm(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(NormParams<T> params, ParamsOf<T>(request));
  params.momentum = request.attrs.Double("momentum");
  params.training = request.attrs.Bool("training");
  return MakeConvertedCpuKernel<NormParams<T>>(request, "batch_norm", params, &BatchNorm<T>);
}

// --- layer_norm: one mean for each line along the axis --------------------------------------------

template <typename T>
void LayerNorm(const NormParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const T* x = At<const T>(buffers[0]);
  const T* gamma = At<const T>(buffers[1]);
  const T* beta = At<const T>(buffers[2]);
  T* y = At<T>(buffers[3]);
  T* means = At<T>(buffers[4]);
  T* rstds = At<T>(buffers[5]);
  const auto rstd_of = [&](double variance) {
    return static_cast<T>(1 / std::sqrt(variance + p.epsilon));
  };
  if (p.inner == 1) {
    pool.ParallelFor(p.outer, GrainFor(3 * p.size), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        double mean, variance;
        RunMoments(p, x + i * p.size, 1, 0, p.size, &mean, &variance);
        means[i] = static_cast<T>(mean);
        rstds[i] = rstd_of(variance);
        p.kernels->apply(p.size, x + i * p.size, means + i, rstds + i, false, gamma, beta, true,
                         y + i * p.size);
      }
    });
    return;
  }
  const int64_t blocks = (p.inner + kMomentColumns - 1) / kMomentColumns;
  pool.ParallelFor(
      p.outer * blocks, GrainFor(3 * p.size * kMomentColumns), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t column = task % blocks * kMomentColumns;
          const int64_t width = std::min(kMomentColumns, p.inner - column);
          const int64_t first = task / blocks * p.size * p.inner + column;
          T* mean = means + task / blocks * p.inner + column;
          T* rstd = rstds + task / blocks * p.inner + column;
          double sums[kMomentColumns], variances[kMomentColumns];
          p.kernels->column_moments(x + first, p.size, p.inner, width, sums, variances);
          for (int64_t j = 0; j < width; ++j) {
            mean[j] = static_cast<T>(sums[j]);
            rstd[j] = rstd_of(variances[j]);
          }
          for (int64_t i = 0; i < p.size; ++i) {
            const int64_t at = first + i * p.inner;
            p.kernels->apply(width, x + at, mean, rstd, true, gamma + i, beta + i, false, y + at);
          }
        }
      });
}

template <typename T>
absl::StatusOr<Ref<const PreparedKernel>> PrepareLayerNorm(const KernelRequest& request) {
  TANDEM_ASSIGN_OR_RETURN(const NormParams<T> params, ParamsOf<T>(request));
  return MakeConvertedCpuKernel<NormParams<T>>(request, "layer_norm", params, &LayerNorm<T>);
}

using Prepare = absl::StatusOr<Ref<const PreparedKernel>> (*)(const KernelRequest&);

template <Prepare kFloat, Prepare kDouble>
absl::StatusOr<Ref<const PreparedKernel>> Dispatch(const KernelRequest& request) {
  return request.inputs[0].spec.dtype == DType::kF64 ? kDouble(request) : kFloat(request);
}

}  // namespace

absl::Status RegisterNormalizationKernels(KernelRegistry* registry) {
  const std::vector<DType> floats = {DType::kF32, DType::kF64, DType::kF16, DType::kBF16};
  TANDEM_RETURN_IF_ERROR(registry->Register(
      CpuKernelDef("batch_norm", "batch_norm", floats,
                   &Dispatch<&PrepareBatchNorm<float>, &PrepareBatchNorm<double>>)));
  return registry->Register(
      CpuKernelDef("layer_norm", "layer_norm", floats,
                   &Dispatch<&PrepareLayerNorm<float>, &PrepareLayerNorm<double>>));
}

}  // namespace tandem::cpu_backend
