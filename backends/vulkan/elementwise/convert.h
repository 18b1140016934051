// The program that converts elements of one dtype into another, as the op `cast` does it. It is what
// a kernel's operands go through that are not stored as the kernel computes (KernelBuilder::InputAs).
//
//   TANDEM_ASSIGN_OR_RETURN(Ref<const VulkanProgram> program,
//                           ConvertProgram(device, DType::kBF16, DType::kF32));
//   // bindings {from: read, to: written}, constants ConvertConstants(count), and
//   // grid LinearGrid(ConvertGroups(count)).
//
// Both ranges start at element 0; a range whose size is not a multiple of four bytes is read and
// written to the next multiple (the bytes behind its end keep their values).
//
// Thread rules: any thread.
#ifndef TANDEM_BACKENDS_VULKAN_ELEMENTWISE_CONVERT_H_
#define TANDEM_BACKENDS_VULKAN_ELEMENTWISE_CONVERT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "tandem/backends/vulkan/programs/vulkan_program.h"
#include "tandem/backends/vulkan/vulkan_device.h"
#include "tandem/core/base/ref.h"
#include "tandem/core/tensor/dtype.h"

namespace tandem::vulkan_backend {

// UNIMPLEMENTED if the device cannot compute with one of the dtypes (f64, i64).
absl::StatusOr<Ref<const VulkanProgram>> ConvertProgram(VulkanDevice& device, DType from, DType to);

// The push constants: the number of elements, below 2^31, and where the source starts.
struct ConvertConstants {
  explicit ConvertConstants(int64_t count) : count(static_cast<uint32_t>(count)) {}
  uint32_t count;
  uint32_t first = 0;
};

// Work groups for `count` elements.
int64_t ConvertGroups(int64_t count);

}  // namespace tandem::vulkan_backend

#endif  // TANDEM_BACKENDS_VULKAN_ELEMENTWISE_CONVERT_H_
