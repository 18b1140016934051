// The short way to write a CPU kernel: a struct of parameters and a function.
//
//   struct ScaleParams { int64_t n; float factor; };
//   void Scale(const ScaleParams& p, std::byte* const* buffers, CpuThreadPool& pool) {
//     const float* x = At<float>(buffers[0]);
//     float* y = At<float>(buffers[1]);
//     pool.ParallelFor(p.n, kParallelWork, [&](int64_t begin, int64_t end) {
//       for (int64_t i = begin; i < end; ++i) y[i] = p.factor * x[i];
//     });
//   }
//
//   absl::StatusOr<Ref<const PreparedKernel>> PrepareScale(const KernelRequest& request) {
//     const ScaleParams params{request.inputs[0].spec.shape.num_elements(), 2.0f};
//     return MakeCpuKernel("scale", params, Scale);
//   }
//   registry->Register(CpuKernelDef("scale", "scale_f32", {DType::kF32}, PrepareScale));
//
// The function's buffers are the inputs, the outputs and, if it asked for one, the workspace, in
// this order. A strided kernel adds the offset of the layout (in elements) to a buffer's address.
// Prepare runs at every eager call, so it costs nanoseconds: what is only for people, the
// description, is made when somebody asks.
//
// Thread rules: a kernel is immutable; its function may run in many threads at once.
#ifndef TANDEM_BACKENDS_CPU_CPU_KERNEL_H_
#define TANDEM_BACKENDS_CPU_CPU_KERNEL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/cpu/cpu_device.h"
#include "tandem/backends/cpu/isa.h"
#include "tandem/backends/cpu/program.h"
#include "tandem/backends/cpu/thread_pool.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/command.h"
#include "tandem/core/op/kernel.h"

namespace tandem::cpu_backend {

// The element `offset` of the array that starts at `bytes`.
template <typename T>
T* At(std::byte* bytes, int64_t offset = 0) {
  return reinterpret_cast<T*>(bytes) + offset;
}

// The instruction set that kernels for `device`, which must be a CPU, may use.
inline Isa IsaOf(const Device& device) { return static_cast<const CpuDevice&>(device).isa(); }

// What one dispatch binds at most.
constexpr size_t kMaxBindings = 64;

// Records one dispatch whose bindings are the inputs (read), the outputs (written) and, if it has a
// size, the workspace (both). INVALID_ARGUMENT if there are more than kMaxBindings of them.
absl::Status RecordCpuDispatch(const CpuProgram& program, absl::Span<const std::byte> constants,
                               CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                               absl::Span<const BufferView> outputs, const BufferView& workspace);

template <typename Params>
using CpuKernelFunction = void (*)(const Params& params, std::byte* const* buffers,
                                   CpuThreadPool& pool);

template <typename Params>
struct CpuKernelOptions {
  int64_t workspace_bytes = 0;
  // For explain(): "gemm avx512 14x32". Null: the kernel's name.
  std::string (*describe)(const Params& params) = nullptr;
};

namespace internal {

template <typename Params>
class ParamsKernel final : public PreparedKernel {
 public:
  static_assert(std::is_trivially_copyable_v<Params>, "parameters travel as bytes");

  ParamsKernel(const char* name, const Params& params, CpuKernelFunction<Params> function,
               const CpuKernelOptions<Params>& options)
      : program_(MakeRef<CpuProgram>(name, &Call)),
        constants_{function, params},
        options_(options) {}

  int64_t workspace_bytes() const override { return options_.workspace_bytes; }
  std::string description() const override {
    return options_.describe != nullptr ? options_.describe(constants_.params) : program_->name();
  }
  absl::Status Record(CommandRecorder& recorder, absl::Span<const BufferView> inputs,
                      absl::Span<const BufferView> outputs,
                      const BufferView& workspace) const override {
    return RecordCpuDispatch(*program_, BytesOf(constants_), recorder, inputs, outputs,
                             options_.workspace_bytes > 0 ? workspace : BufferView());
  }

 private:
  struct Constants {
    CpuKernelFunction<Params> function;
    Params params;
  };

  static void Call(const CpuCall& call) {
    const auto& constants = *static_cast<const Constants*>(call.constants);
    constants.function(constants.params, call.buffers, *call.pool);
  }

  Ref<const CpuProgram> program_;
  Constants constants_;
  CpuKernelOptions<Params> options_;
};

}  // namespace internal

// A kernel of one call of `function`. `name` is static text.
template <typename Params>
Ref<const PreparedKernel> MakeCpuKernel(
    const char* name, const Params& params,
    std::type_identity_t<CpuKernelFunction<Params>> function,
    const std::type_identity_t<CpuKernelOptions<Params>>& options = {}) {
  return MakeRef<const internal::ParamsKernel<Params>>(name, params, function, options);
}

// A definition for the CPU with the fields that most kernels need.
KernelDef CpuKernelDef(
    std::string op, std::string name, std::vector<DType> dtypes,
    absl::StatusOr<Ref<const PreparedKernel>> (*prepare)(const KernelRequest& request));

}  // namespace tandem::cpu_backend

#endif  // TANDEM_BACKENDS_CPU_CPU_KERNEL_H_
