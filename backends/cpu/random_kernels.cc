#include "tandem/backends/cpu/random_kernels.h"

#include <algorithm>
#include <cmath>

#include "tandem/backends/cpu/cpu_kernel.h"
#include "tandem/backends/cpu/philox.h"
#include "tandem/backends/cpu/tile_vm.h"
#include "tandem/core/base/status_macros.h"

namespace tandem::cpu_backend {
namespace {

constexpr int64_t kTileBlocks = 128;
constexpr int64_t kTile = 4 * kTileBlocks;  // elements

template <typename T>
struct PhiloxFunctions {
  void (*words)(uint64_t seed, uint64_t first, uint64_t high, int64_t blocks, uint32_t* words);
  void (*uniform)(const uint32_t* words, int64_t n, T low, T range, T* out);
  void (*normal)(const uint32_t* words, int64_t blocks, T mean, T stddev, T* out);
  void (*dropout)(const uint32_t* words, const T* x, int64_t n, uint32_t threshold, T scale,
                  T* out);
};

template <typename T>
PhiloxFunctions<T> FunctionsOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return {isa_avx512::Philox, isa_avx512::Uniform, isa_avx512::Normal, isa_avx512::Dropout};
    case Isa::kAvx2:
      return {isa_avx2::Philox, isa_avx2::Uniform, isa_avx2::Normal, isa_avx2::Dropout};
    case Isa::kBaseline:
      break;
  }
  return {isa_baseline::Philox, isa_baseline::Uniform, isa_baseline::Normal, isa_baseline::Dropout};
}

enum class Distribution { kUniform, kNormal, kDropout };

template <typename T>
struct DrawParams {
  PhiloxFunctions<T> functions;
  Distribution distribution;
  int64_t n;
  uint64_t delta;
  T a, b;              // low and range; mean and standard deviation; a: scale of dropout
  uint32_t threshold;  // of dropout
  int64_t element_size;
  TileFn load, store;  // null: the dtype is T
};

// Where an element is kept: word >> 8 < threshold. u < p is k < p 2^24 for the 24-bit integer k of u.
uint32_t ThresholdOf(double p) { return static_cast<uint32_t>(std::ceil(p * 0x1p24)); }

uint64_t FirstBlock(const std::byte* state, uint64_t delta) {
  return static_cast<uint64_t>(reinterpret_cast<const int64_t*>(state)[1]) + delta;
}
uint64_t SeedOf(const std::byte* state) {
  return static_cast<uint64_t>(reinterpret_cast<const int64_t*>(state)[0]);
}

template <typename T>
void Draw(const DrawParams<T>& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const bool drops = p.distribution == Distribution::kDropout;
  const std::byte* x = drops ? buffers[0] : nullptr;
  const std::byte* state = buffers[drops ? 1 : 0];
  std::byte* y = buffers[drops ? 2 : 1];
  const uint64_t seed = SeedOf(state), first = FirstBlock(state, p.delta);
  pool.ParallelFor(p.n, 8 * kTile, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[kTile];
    alignas(64) T values[kTile];
    alignas(64) T loaded[kTile];
    for (int64_t i = begin; i < end; i += kTile) {
      const int64_t n = std::min(kTile, end - i), blocks = (n + 3) / 4;
      p.functions.words(seed, first + static_cast<uint64_t>(i / 4), 0, blocks, words);
      // Normal numbers come in fours, so the last ones go through `values`.
      const bool direct = p.store == nullptr && n % 4 == 0;
      T* out = direct ? At<T>(y, i) : values;
      switch (p.distribution) {
        case Distribution::kUniform:
          p.functions.uniform(words, n, p.a, p.b, out);
          break;
        case Distribution::kNormal:
          p.functions.normal(words, blocks, p.a, p.b, out);
          break;
        case Distribution::kDropout: {
          const T* in = reinterpret_cast<const T*>(x) + i;
          if (p.load != nullptr) {
            p.load(x + i * p.element_size, nullptr, nullptr, loaded, n);
            in = loaded;
          }
          p.functions.dropout(words, in, n, p.threshold, p.a, out);
          break;
        }
      }
      if (p.store != nullptr) {
        p.store(values, nullptr, nullptr, y + i * p.element_size, n);
      } else if (!direct) {
        std::copy_n(values, n, At<T>(y, i));
      }
    }
  });
}

template <typename T>
Ref<const PreparedKernel> MakeDraw(const KernelRequest& request, const char* name,
                                   Distribution distribution, double a, double b,
                                   uint32_t threshold) {
  const TensorSpec& spec = request.outputs[0].spec;
  const Isa isa = IsaOf(request.device);
  const DrawParams<T> params{FunctionsOf<T>(isa),
                             distribution,
                             spec.shape.num_elements(),
                             static_cast<uint64_t>(request.attrs.Int("delta")),
                             static_cast<T>(a),
                             static_cast<T>(b),
                             threshold,
                             DTypeSize(spec.dtype),
                             FindLoad(isa, spec.dtype),
                             FindStore(isa, spec.dtype)};
  return MakeCpuKernel(name, params, Draw<T>);
}

absl::StatusOr<Ref<const PreparedKernel>> MakeDrawOf(const KernelRequest& request, const char* name,
                                                     Distribution distribution, double a, double b,
                                                     uint32_t threshold = 0) {
  if (request.outputs[0].spec.dtype == DType::kF64) {
    return MakeDraw<double>(request, name, distribution, a, b, threshold);
  }
  return MakeDraw<float>(request, name, distribution, a, b, threshold);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareUniform(const KernelRequest& request) {
  const double low = request.attrs.Double("low"), high = request.attrs.Double("high");
  if (request.outputs[0].spec.dtype == DType::kF64) {
    return MakeDrawOf(request, "random_uniform", Distribution::kUniform, low, high - low);
  }
  const float range = static_cast<float>(high) - static_cast<float>(low);
  return MakeDrawOf(request, "random_uniform", Distribution::kUniform, low, range);
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareNormal(const KernelRequest& request) {
  return MakeDrawOf(request, "random_normal", Distribution::kNormal, request.attrs.Double("mean"),
                    request.attrs.Double("stddev"));
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareDropout(const KernelRequest& request) {
  const double keep = 1 - request.attrs.Double("rate");
  return MakeDrawOf(request, "dropout", Distribution::kDropout, 1 / keep, 0, ThresholdOf(keep));
}

struct BernoulliParams {
  void (*words)(uint64_t seed, uint64_t first, uint64_t high, int64_t blocks, uint32_t* words);
  int64_t n;
  uint64_t delta;
  uint32_t threshold;
  DType dtype;
};

void Bernoulli(const BernoulliParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
  const uint64_t seed = SeedOf(buffers[0]), first = FirstBlock(buffers[0], p.delta);
  DispatchDType(p.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* y = At<T>(buffers[1]);
    const T one(1.0f);
    pool.ParallelFor(p.n, 8 * kTile, [&](int64_t begin, int64_t end) {
      uint32_t words[kTile];
      for (int64_t i = begin; i < end; i += kTile) {
        const int64_t n = std::min(kTile, end - i);
        p.words(seed, first + static_cast<uint64_t>(i / 4), 0, (n + 3) / 4, words);
        for (int64_t k = 0; k < n; ++k) y[i + k] = (words[k] >> 8) < p.threshold ? one : T();
      }
    });
  });
}

absl::StatusOr<Ref<const PreparedKernel>> PrepareBernoulli(const KernelRequest& request) {
  const TensorSpec& spec = request.outputs[0].spec;
  const BernoulliParams params{TANDEM_SELECT_ISA(IsaOf(request.device), Philox),
                               spec.shape.num_elements(),
                               static_cast<uint64_t>(request.attrs.Int("delta")),
                               ThresholdOf(request.attrs.Double("p")), spec.dtype};
  return MakeCpuKernel("random_bernoulli", params, Bernoulli);
}

}  // namespace

absl::Status RegisterRandomKernels(KernelRegistry* kernels) {
  TANDEM_RETURN_IF_ERROR(
      kernels->Register(CpuKernelDef("random_uniform", "philox", {}, PrepareUniform)));
  TANDEM_RETURN_IF_ERROR(
      kernels->Register(CpuKernelDef("random_normal", "philox", {}, PrepareNormal)));
  TANDEM_RETURN_IF_ERROR(
      kernels->Register(CpuKernelDef("random_bernoulli", "philox", {}, PrepareBernoulli)));
  return kernels->Register(CpuKernelDef("dropout", "philox", {}, PrepareDropout));
}

}  // namespace tandem::cpu_backend
