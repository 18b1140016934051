// What the kernels that move data share: in which units memory is moved, and how elements narrower
// than a device can address are moved nevertheless.
//
// Moving does not care for dtypes, so a run of elements is moved in the widest units, up to 16 bytes,
// that its length is a multiple of: rows of 64 half-precision numbers go as eight 16-byte vectors, on
// devices too that cannot address 16 bits. Units of one and two bytes need the features storage8 and
// storage16; a device without them moves the elements as 32-bit numbers, converted before and after.
//
//   const Movement move = Movement::OfRuns(b.capabilities(), x.dtype, {inner});
//   b.Dispatch(GatherShader(move.unit), {…}, {Read(b.InputAs(0, move.dtype)), …},
//              {.run = FastDivisor(move.Units(inner)), …}, …);
//
// Thread rules: value types, pure functions.
#ifndef TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_H_
#define TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tandem/backends/vulkan/driver/capabilities.h"
#include "tandem/backends/vulkan/vulkan_kernel.h"
#include "tandem/core/op/kernel.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

// Whether shaders can read and write single elements of 1, 2, 4, 8 or 16 bytes.
bool CanAddress(const Capabilities& capabilities, int64_t bytes);

struct Movement {
  DType dtype = DType::kF32;  // as which the operands are bound (KernelBuilder::InputAs, OutputAs)
  int unit = 4;               // bytes: 1, 2, 4, 8 or 16

  // For runs of so many elements, every one of which starts at a multiple of their lengths' greatest
  // common divisor. A length of 0 does not count.
  static Movement OfRuns(const Capabilities& capabilities, DType dtype,
                         absl::Span<const int64_t> runs);
  // Element by element.
  static Movement OfElements(const Capabilities& capabilities, DType dtype);

  int64_t Units(int64_t elements) const { return elements * DTypeSize(dtype) / unit; }
};

// Invocations of a work group for shaders that need no particular number.
uint32_t GroupSize(const Capabilities& capabilities);

// The bits of a number as an element of `dtype`, moved as `move` says and repeated to fill eight
// bytes: low and high word. Converted as the op cast does: integers truncate and saturate to their
// compute type, NaN gives 0.
std::array<uint32_t, 2> UnitPattern(const Movement& move, DType dtype, double value);

// RESOURCE_EXHAUSTED if a tensor has more units than 32-bit indices reach (2^31 - 1).
absl::Status CheckUnits(const KernelRequest& request, const Movement& move);

// An integer input as shaders/index.glsl reads it: i64 in place, others as i32.
struct IndexOperand {
  Operand operand;
  uint32_t words = 1;  // of 32 bits each; specialization constant 1
};
IndexOperand IndicesOf(KernelBuilder& builder, const KernelRequest& request, int input);
bool HasIntegerIndices(const KernelRequest& request);  // of the last input

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_KERNELS_MOVEMENT_H_
