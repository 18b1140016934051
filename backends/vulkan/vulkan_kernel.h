// How a Vulkan kernel is written: a list of dispatches over operands.
//
//   struct ScaleConstants { uint32_t n; float factor; };
//
//   absl::StatusOr<Ref<const PreparedKernel>> PrepareScale(const KernelRequest& request) {
//     KernelBuilder b(request, "scale");
//     const Operand x = b.InputAs(0, DType::kF32);   // converted in a step of its own if it is f16
//     const Operand y = b.OutputAs(0, DType::kF32);
//     const uint32_t n = request.inputs[0].spec.shape.num_elements();
//     b.Dispatch(ScaleShader(DType::kF32), {kWorkgroup}, {Read(x), Write(y)},
//                ScaleConstants{n, 2.0f}, GroupsFor(n, kWorkgroup));
//     return b.Finish();
//   }
//   registry->Register(VulkanKernelDef("scale", "scale", {DType::kF32, DType::kF16}, PrepareScale));
//
// Prepare runs at every eager call, so it must be cheap: programs are looked up in the device's
// cache by shader and specialization constants, not made anew. Tile sizes are specialization
// constants; sizes that vary with the input are push constants, so that a new shape needs no new
// pipeline.
//
// Thread rules: a builder belongs to one thread; the kernel it gives is immutable.
#ifndef TANDEM_BACKENDS_VULKAN_VULKAN_KERNEL_H_
#define TANDEM_BACKENDS_VULKAN_VULKAN_KERNEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/programs/vulkan_program.h"
#include "tandem/backends/vulkan/shaders/shader.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/device/command.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

class VulkanDevice;

// Memory that a step of a kernel works on: an input, an output or a part of the workspace.
struct Operand {
  enum class Kind : uint8_t { kInput, kOutput, kWorkspace };
  Kind kind = Kind::kInput;
  int32_t index = 0;   // of the input or output
  int64_t offset = 0;  // bytes from the start of the view
  int64_t size = -1;   // bytes; -1: to the end of the view
};

struct Access {
  Operand operand;
  bool read = false;
  bool write = false;
};
inline Access Read(const Operand& o) { return {o, true, false}; }
inline Access Write(const Operand& o) { return {o, false, true}; }
inline Access ReadWrite(const Operand& o) { return {o, true, true}; }

// Work groups in x, y and z so that x·y >= groups and no axis has more than 65535. In the shader,
// the linear index is gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x (LINEAR_GROUP in
// common.glsl), and groups beyond the last do nothing.
std::array<uint32_t, 3> LinearGrid(int64_t groups);
// The same for n invocations in groups of `size`.
std::array<uint32_t, 3> GroupsFor(int64_t n, int64_t size);

class KernelBuilder {
 public:
  KernelBuilder(const KernelRequest& request, std::string name);
  ~KernelBuilder();
  KernelBuilder(const KernelBuilder&) = delete;
  KernelBuilder& operator=(const KernelBuilder&) = delete;

  const Capabilities& capabilities() const;

  Operand Input(int index) const;
  Operand Output(int index) const;
  // `bytes` (>= 0) of scratch memory, aligned like a buffer of its own.
  Operand Workspace(int64_t bytes);
  // The input as contiguous elements of `dtype`: itself if it has that dtype, else converted into
  // workspace by a step that is added here. The input must be contiguous, from any element on.
  Operand InputAs(int index, DType dtype);
  // Where to write the output as elements of `dtype`: itself if it has that dtype, else workspace
  // that Finish adds a converting step for.
  Operand OutputAs(int index, DType dtype);
  // Adds a step that converts `count` elements, below 2^31: from element `first` of `from`, to the
  // start of `to`.
  void Convert(const Operand& from, DType from_dtype, const Operand& to, DType to_dtype,
               int64_t count, int64_t first = 0);

  // Adds a step. `shader` null, a program that cannot be made, constants of another size than the
  // shader's, or another number of accesses than it has bindings: an error that Finish returns.
  // Grids with a zero are left out.
  template <typename Constants>
  void Dispatch(const Shader* shader, std::initializer_list<uint32_t> specialization,
                std::initializer_list<Access> accesses, const Constants& constants,
                const std::array<uint32_t, 3>& grid) {
    DispatchBytes(shader, absl::MakeConstSpan(specialization.begin(), specialization.size()),
                  absl::MakeConstSpan(accesses.begin(), accesses.size()), BytesOf(constants), grid);
  }
  void DispatchBytes(const Shader* shader, absl::Span<const uint32_t> specialization,
                     absl::Span<const Access> accesses, absl::Span<const std::byte> constants,
                     const std::array<uint32_t, 3>& grid);
  // The same with a program that the caller has already.
  void DispatchProgram(Ref<const VulkanProgram> program, absl::Span<const Access> accesses,
                       absl::Span<const std::byte> constants, const std::array<uint32_t, 3>& grid);
  // Adds a step that fills the operand with a 32-bit pattern.
  void Fill(const Operand& to, uint32_t pattern);

  // For explain(): what was chosen, "matmul 64x64x16, split-K 4". Default: the name.
  void Describe(std::string description);
  void Fail(absl::Status status);

  absl::StatusOr<Ref<const PreparedKernel>> Finish();

 private:
  struct PendingConversion {
    Operand from;
    DType from_dtype;
    int output;
  };
  class Kernel;

  void Append(Ref<const VulkanProgram> program, absl::Span<const Access> accesses,
              absl::Span<const std::byte> constants, const std::array<uint32_t, 3>& grid,
              uint32_t pattern);

  const KernelRequest& request_;
  VulkanDevice& device_;
  const std::string name_;
  absl::Status status_;
  absl::InlinedVector<PendingConversion, 2> conversions_;
  Ref<Kernel> kernel_;  // being built
};

// A definition for Vulkan devices. It is not offered for a request with dtypes that the device
// lacks (f64 without shaderFloat64, i64 without shaderInt64), so that the op's decomposition or an
// error that names the dtype takes its place.
KernelDef VulkanKernelDef(
    std::string op, std::string name, std::vector<DType> dtypes,
    absl::StatusOr<Ref<const PreparedKernel>> (*prepare)(const KernelRequest& request));

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_VULKAN_KERNEL_H_
